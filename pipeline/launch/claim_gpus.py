"""Give a job particular GPUs of this machine, which no other job of this project has, and nobody else is using.

A claim is a lock on a file of the GPU. The processes of the job hold it, and the kernel drops it when the last of them
ends. Under a scheduler that has handed out GPUs itself (Slurm), those are taken as they are.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LOCKS = Path("/tmp/gpu-claims")  # of all users of this machine, and so not in TMPDIR, which each may set
POLL_SECONDS = 5.0
QUERY = ("nvidia-smi", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine."""

    index: str  # in the order of the bus
    uuid: str


def claim_gpus(count: int, setting: str) -> list[int]:
    """Let this process and its children see `count` free GPUs alone, waiting for them if need be.

    Returns the open files that hold the claim: children have to keep them (`pass_fds`). `setting` is what asks for the
    GPUs. Stops with one line if this machine has fewer.
    """
    if not count:
        return []
    if "SLURM_JOB_ID" in os.environ:
        require_visible(
            count, setting, [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        )
        return []
    gpus = list_gpus()
    require_visible(count, setting, [gpu.index for gpu in gpus])
    claimed, said = try_to_claim(gpus, count), ""
    while not claimed:
        if (reason := describe_others(gpus)) != said:
            print(f"waiting for {count} free GPUs ({setting}): {reason}", flush=True)
            said = reason
        time.sleep(POLL_SECONDS)
        claimed = try_to_claim(gpus, count)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.index for gpu in claimed)
    print(f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']}", flush=True)
    return list(claimed.values())


def require_visible(count: int, setting: str, found: list[str]) -> None:
    """Stop with one line if fewer GPUs are visible than asked for."""
    if len(found) < count:
        sys.exit(f"{setting} is {count}, but {len(found)} GPUs are visible here; lower it, or run where they are")


def list_gpus() -> list[Gpu]:
    """Return the GPUs of this machine; if CUDA_VISIBLE_DEVICES is set, those that it names."""
    try:
        rows = ask_driver("--query-gpu=index,uuid")
    except FileNotFoundError:
        return []
    gpus = [Gpu(index, uuid) for index, uuid in rows]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return gpus if visible is None else [gpu for gpu in gpus if {gpu.index, gpu.uuid} & set(visible.split(","))]


def list_users() -> dict[str, list[str]]:
    """Return the processes that compute on each GPU, by the GPU's UUID."""
    users: dict[str, list[str]] = {}
    for uuid, pid in ask_driver("--query-compute-apps=gpu_uuid,pid"):
        users.setdefault(uuid, []).append(pid)
    return users


def ask_driver(query: str) -> list[list[str]]:
    """Return the rows of a query, each a list of values."""
    said = subprocess.run([*QUERY, query], capture_output=True, text=True, check=False)
    return [[value.strip() for value in line.split(",")] for line in said.stdout.splitlines() if line.strip()]


def try_to_claim(gpus: list[Gpu], count: int) -> dict[Gpu, int]:
    """Return `count` GPUs that nobody uses, with the open files that hold them; none if there are fewer."""
    with one_at_a_time():
        users = list_users()
        claimed: dict[Gpu, int] = {}
        for gpu in gpus:
            if len(claimed) < count and gpu.uuid not in users and (lock := try_lock(gpu)) is not None:
                claimed[gpu] = lock
        if len(claimed) < count:
            for lock in claimed.values():
                os.close(lock)
            return {}
        return claimed


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let nobody else choose meanwhile, so that two jobs never wait for each other's half."""
    LOCKS.mkdir(exist_ok=True)
    with suppress(PermissionError):  # it is another user's, who has done this
        LOCKS.chmod(0o1777)
    chooser = open_shared(LOCKS / "choosing")
    fcntl.flock(chooser, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(chooser)


def try_lock(gpu: Gpu) -> int | None:
    """Return an open file that is locked for this GPU, None where another job has it."""
    file = open_shared(LOCKS / gpu.uuid)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def open_shared(path: Path) -> int:
    """Open a file that every user of this machine may lock."""
    before = os.umask(0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    finally:
        os.umask(before)


def describe_others(gpus: list[Gpu]) -> str:
    """Return in words which GPUs are not free."""
    users = list_users()
    used = [f"GPU {gpu.index} is used by process {' and '.join(users[gpu.uuid])}" for gpu in gpus if gpu.uuid in users]
    return "; ".join(used) or "other runs of this project have claimed them"
