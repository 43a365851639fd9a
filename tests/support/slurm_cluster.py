"""A Slurm cluster on this machine: real daemons, nodes that are names, GPUs that are pretended.

Each node says it has four H20s and as much memory as a real one. A GPU is a device file that does nothing, which is
all that Slurm looks at to hand it out. Everything lies in one folder, which the daemons and commands see as /etc/slurm,
each in a mount namespace of its own; daemons are stopped by their processes' numbers.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pipeline.launch.on_nodes import free_port
from tests.support.processes import in_mount_namespace, kill_all, mount_namespace

DAEMONS = ("slurmctld", "slurmd", "munged")
GPUS = 4
NODE = "CPUs=64 RealMemory=1000000 Gres=gpu:h20:4 State=UNKNOWN"
# No accounting database: the controller remembers jobs, and the prolog notes what each was given.
# No control groups: containers, in which tests run, seldom may make any.
CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
Prolog={folder}/prolog
TaskProlog={folder}/task-prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
MinJobAge=36000
SlurmdTimeout=10
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=20
"""
PROLOG = """#!/bin/sh
scontrol show job -d "$SLURM_JOB_ID" >>"{folder}/jobs/$SLURM_JOB_ID"
"""
# Slurm's variable SLURM_CONF would not do: Snakemake's plugin keeps it from jobs.
HERE = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/slurm && exec "$@"')
TASK_PROLOG = """#!/bin/sh
echo "Seen=${{CUDA_VISIBLE_DEVICES:-none}}" >>"{folder}/jobs/$SLURM_JOB_ID"
"""


def install() -> None:
    """Install Debian's packages of Slurm and munge, where they are missing."""
    if not all(find(name) for name in DAEMONS):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        packages = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"]
        subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)
        subprocess.run(packages, check=True, capture_output=True, env=quiet)


def find(name: str) -> str | None:
    """Return where a program is, also one that only root uses."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Cluster:
    """Nodes n1, n2, … in the partition `gpu`; a context that stops them at its end."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.here = [*HERE, str(folder)]  # what runs a command where this is the cluster
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self.bring_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def bring_up(self) -> None:
        """Start the daemons, and wait until the nodes are ready."""
        install()
        self.configure()
        self.start("munged", "--foreground", "--force", *self.munge_files())
        self.wait_for(lambda: (self.folder / "munge.socket").exists())
        self.start("slurmctld", "-D", "-c")
        for node in self.nodes:
            self.start_node(node)
        self.wait_for(lambda: len(self.ask("sinfo", "-hN", "-t", "idle", "-o", "%N").split()) == len(self.nodes))

    def __exit__(self, *_: object) -> None:
        """Stop everything, in the order in which it depends on each other."""
        self.ask("scancel", "--state=PENDING,RUNNING", "--partition=gpu")
        for daemon in reversed(self.daemons.values()):
            here = mount_namespace(daemon.pid)
            daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(timeout=10)  # seconds; a node's waits for its jobs
            kill_all(lambda here=here: in_mount_namespace(here))
            daemon.wait()

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self.start("slurmd", "-D", "-N", node, name=node)

    def kill_node(self, node: str) -> None:
        """Kill everything on a node, as when the machine loses its power: its daemon, and all that came of its jobs.

        All are stopped first, so that none can still report how another ended.
        """
        here = mount_namespace(self.daemons[node].pid)
        for pid in in_mount_namespace(here):
            os.kill(pid, signal.SIGSTOP)
        kill_all(lambda: in_mount_namespace(here))
        self.daemons.pop(node).wait()

    def start(self, program: str, *arguments: str, name: str = "") -> None:
        """Start a daemon."""
        path = find(program)
        assert path, f"no {program}, although its package is installed"
        with (self.folder / f"{name or program}.out").open("wb") as log:
            self.daemons[name or program] = subprocess.Popen([*self.here, path, *arguments], stdout=log, stderr=log)

    def ask(self, *command: str) -> str:
        """Return the output of one of Slurm's commands."""
        return subprocess.run([*self.here, *command], capture_output=True, text=True, check=False).stdout

    def wait_for(self, holds) -> None:  # type: ignore[no-untyped-def]
        """Wait until something is so; the daemons need a second or two."""
        end = time.monotonic() + 60
        while not holds():
            ended = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            assert not ended and time.monotonic() < end, f"{ended or 'the cluster'}: see {self.folder}"
            time.sleep(0.1)

    def munge_files(self) -> list[str]:
        """Return the options that let munged keep everything in the folder."""
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid"}
        names |= {"log-file": "munged.log", "seed-file": "munged.seed"}
        return [f"--{option}={self.folder / name}" for option, name in names.items()]

    def configure(self) -> None:
        """Write the configuration."""
        host = socket.gethostname().partition(".")[0]
        for name in ("state", "jobs", *(f"spool-{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        lines = [CONF.format(host=host, port=free_port(), folder=self.folder)]
        for node in self.nodes:
            lines.append(f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} {NODE}\n")
        lines.append(f"PartitionName=gpu Nodes={','.join(self.nodes)} Default=YES MaxTime=INFINITE State=UP\n")
        (self.folder / "slurm.conf").write_text("".join(lines), encoding="utf-8")
        (self.folder / "gres.conf").write_text("".join(map(self.pretend_gpus, self.nodes)), encoding="utf-8")
        (self.folder / "cgroup.conf").write_text("ConstrainDevices=no\n", encoding="utf-8")
        for name, text in {"prolog": PROLOG, "task-prolog": TASK_PROLOG}.items():
            (self.folder / name).write_text(text.format(folder=self.folder), encoding="utf-8")
            (self.folder / name).chmod(0o755)

    def pretend_gpus(self, node: str) -> str:
        """Make four devices like /dev/null; return the line that calls them H20s."""
        for number in range(GPUS):
            os.mknod(self.folder / f"{node}-gpu{number}", 0o666 | 0o020000, os.makedev(1, 3))
        return f"NodeName={node} Name=gpu Type=h20 File={self.folder}/{node}-gpu[0-{GPUS - 1}]\n"
