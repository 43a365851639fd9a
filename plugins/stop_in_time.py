"""Stop a training with a checkpoint when somebody asks for it: when the file that STOP_FILE names is there.

It stops at the next step whose figures are logged, so that a resumed training logs what an undisturbed one does.
"""

import os
from pathlib import Path
from typing import Any

import torch
from swift.trainers import SwiftMixin
from transformers import TrainerCallback

FILE = Path(os.environ["STOP_FILE"])


class StopInTime(TrainerCallback):
    """Looks for the file at each step that is logged. The first process looks for all."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop, if that is asked for and there is more to train."""
        if not control.should_log or state.global_step >= state.max_steps:
            return
        asked = torch.tensor([int(FILE.exists())], device=args.device)
        if torch.distributed.is_initialized():
            torch.distributed.broadcast(asked, 0)
        if asked.item():
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure and save nothing where an epoch was left in its middle."""
        if control.should_training_stop and state.global_step < state.max_steps and state.epoch % 1:
            control.should_evaluate = control.should_save = control.should_log = False


_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train until the end, or until asked to stop."""
    self.add_callback(StopInTime())
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
