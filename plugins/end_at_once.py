"""End a process of a training as soon as it is done, before Python itself does.

After the work is done, a gloo or torch thread that frees a tensor while Python shuts down can abort the process
(pytorch #38228, #190489). Such threads cannot be ended before: DeepSpeed holds to the last what destroy_process_group
frees. multiprocessing ends its processes like this. With a GPU, where that was never seen, this plugin does nothing.
"""

import atexit
import os
import sys
import threading
from typing import NoReturn

import torch
from swift.pipelines.base import SwiftPipeline

_main = SwiftPipeline.main


def run_and_end(self: SwiftPipeline) -> NoReturn:
    """Do what a command of ms-swift does, and end the process with 0 once it has done all."""
    _main(self)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


if not torch.cuda.is_available():
    SwiftPipeline.main = run_and_end
