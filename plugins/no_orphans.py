"""Let no process of a training outlive it: each ends when its launcher is killed.

Until its end, each holds the lock on the folder of the checkpoints (pipeline/training/checkpoints.py).
"""

import ctypes
import signal

from pipeline.launch.contract import Contract
from pipeline.training.checkpoints import LOCK, share

PR_SET_PDEATHSIG = 1  # linux/prctl.h

ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
HELD = share(Contract.read().folder / LOCK)
