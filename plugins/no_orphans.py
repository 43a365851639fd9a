"""Let no process of a training outlive it: each ends when its launcher is killed.

Until its end, each holds the lock on the folder of the checkpoints (pipeline/training/checkpoints.py).
"""

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

from pipeline.launch.contract import VARIABLE, Contract
from pipeline.training.checkpoints import LOCK, share

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def has_launcher() -> bool:
    """Say whether the parent is of this training, too; another process is the parent of one whose launcher is gone."""
    own = f"{VARIABLE}={os.environ[VARIABLE]}".encode()
    with suppress(OSError):  # of other users' processes
        return own in Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
    return False


ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if not has_launcher():  # it was killed while this process loaded its modules, for which it takes seconds
    os.kill(os.getpid(), signal.SIGKILL)
HELD = share(Contract.read().folder / LOCK)
