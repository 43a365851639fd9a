"""Let no process of a training outlive it: each ends when its launcher is killed.

Until its end, each holds the lock on the folder of the checkpoints (scripts/checkpoints.py).
"""

import ctypes
import signal

from checkpoints import LOCK, share
from training_contract import Contract

PR_SET_PDEATHSIG = 1  # linux/prctl.h

ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
HELD = share(Contract.read().folder / LOCK)
