"""A plugin of ms-swift: time every step of its trainer."""

from typing import Any

from swift.trainers import SwiftMixin

from benchmarks.speed.step_clock import StepClock

_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train, and note each step."""
    StepClock().watch(self)
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
