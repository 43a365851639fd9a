"""How a training is started on one node or on several, and how it is asked to stop."""

import os
import signal
import socket
import sys
from pathlib import Path

# A scheduler asks all processes of a job to end, and torchrun would then end the training within half a minute. The
# signal is for this process alone, which lets the training stop with a checkpoint (plugins/stop_in_time.py).
IGNORE_SIGTERM = ("env", "--ignore-signal=TERM")
TORCHRUN_IGNORES_SIGTERM = {"PET_SIGNALS_TO_HANDLE": "SIGINT,SIGHUP,SIGQUIT"}
# On one machine, nothing of a training listens to another: not torchrun's store (plugins/torchrun/loopback.py), nor the
# processes that exchange sums. A port is chosen when it is bound.
ON_ONE_MACHINE = {
    "PET_RDZV_BACKEND": "loopback",
    "PET_RDZV_ENDPOINT": "127.0.0.1:0",
    "GLOO_SOCKET_IFNAME": "lo",
    "NCCL_SOCKET_IFNAME": "lo",
}
# A process that crashes in compiled code says in the log where it was.
WHERE_IT_CRASHED = {"PYTHONFAULTHANDLER": "1"}


def launcher(nodes: int) -> list[str]:
    """Return the words before a command that is to ignore SIGTERM: here, or once on each node of this Slurm job."""
    if nodes == 1:
        return [*IGNORE_SIGTERM]
    if "SLURM_JOB_ID" not in os.environ:
        sys.exit(
            f"train.nodes is {nodes}, and this does not run as a job of Slurm; use --profile profiles/slurm, or set 1"
        )
    # All CPUs that the job has on a node are for its one task there, which Slurm would otherwise bind to one of them.
    once_each = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--cpu-bind=none"]
    return ["srun", *once_each, "--kill-on-bad-exit=1", "envs/on-node", *IGNORE_SIGTERM]


def rendezvous(nodes: int) -> dict[str, str]:
    """Return torchrun's variables: on several nodes their number, and address and port of the first, this one."""
    first = {"MASTER_ADDR": socket.gethostname(), "MASTER_PORT": str(free_port())}
    place = {"NNODES": str(nodes)} | first if nodes > 1 else ON_ONE_MACHINE
    return TORCHRUN_IGNORES_SIGTERM | WHERE_IT_CRASHED | place


def free_port() -> int:
    """Return a port that nobody listens on, so that two trainings on a machine do not meet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stop_on_sigterm(file: Path) -> None:
    """Let SIGTERM make a file that plugins/stop_in_time.py looks for."""
    file.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: file.touch())
