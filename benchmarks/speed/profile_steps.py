"""A plugin of ms-swift: add up the kernels of some steps, and what torch compiled before them, into KERNELS_FILE.

Only the GPU is watched, so that the steps take about as long as they do otherwise.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from swift.trainers import SwiftMixin
from torch._dynamo.utils import compilation_time_metrics, counters
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback

from benchmarks.speed.kernel_times import Kernel, sum_up

BEFORE, WATCHED = 3, 3  # steps
PHASES = 15


class KernelWatch(TrainerCallback):  # type: ignore[misc]
    """Watches the GPU, and the time between two steps with them."""

    def __init__(self) -> None:
        self.profiler = profile(activities=[ProfilerActivity.CUDA])

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin to watch."""
        if state.global_step == BEFORE:
            torch.cuda.synchronize()
            self.profiler.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End, and write down what was seen."""
        if state.global_step != BEFORE + WATCHED:
            return
        torch.cuda.synchronize()
        self.profiler.stop()
        kernels = [
            Kernel(event.name, event.time_range.start, event.time_range.end)
            for event in self.profiler.events() or []
            if event.device_type == DeviceType.CUDA
        ]
        told = sum_up(kernels, WATCHED) | {"compiling": describe_compiling()}
        Path(os.environ["KERNELS_FILE"]).write_text(json.dumps(told), encoding="utf-8")


def describe_compiling() -> dict[str, Any]:
    """Return the number of compiled graphs, how often something broke one, and seconds by phase, longest first."""
    phases = {name: round(sum(spent), 1) for name, spent in compilation_time_metrics.items()}
    return {
        "graphs": counters["stats"]["unique_graphs"],
        "breaks": {reason[:200]: count for reason, count in counters["graph_break"].items()},
        "seconds": dict(sorted(phases.items(), key=lambda phase: -phase[1])[:PHASES]),
    }


_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train, and watch."""
    self.add_callback(KernelWatch())
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
