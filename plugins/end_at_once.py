"""End a process of a training as soon as it is done, before Python itself does.

A thread of gloo or of torch that lets go of a tensor while Python ends aborts the process, which has done all its work
(pytorch #38228, #190489). Such threads can't be ended before: what destroy_process_group lets go of, DeepSpeed holds to
the last. multiprocessing ends its processes like this. With a GPU, where that was never seen, this plugin does nothing.
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
