"""A plugin of ms-swift: have every step of its trainer timed."""

from typing import Any

from step_clock import StepClock
from swift.trainers import SwiftMixin

_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train, and note each step."""
    StepClock().watch(self)
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
