"""Let no process of a training outlive it: each ends when its launcher is killed.

Until its end, each holds the lock on the folder of the checkpoints (scripts/checkpoints.py), LOCK_FILE.
"""

import ctypes
import os
import signal
from pathlib import Path

from checkpoints import share

PR_SET_PDEATHSIG = 1  # linux/prctl.h

ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
LOCK = share(Path(os.environ["LOCK_FILE"]))
