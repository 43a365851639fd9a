"""Stop a training with a checkpoint when somebody asks for it: when its contract's stop file is there.

It stops at the next step whose figures are logged, so that a resumed training logs what an undisturbed one does.
"""

from typing import Any

import torch
from swift.callbacks import TrainerCallback, callbacks_map

from pipeline.launch.contract import Contract


class StopInTime(TrainerCallback):
    """Looks for the file at each step that is logged. The first process looks for all."""

    def __init__(self, args: Any, trainer: Any) -> None:
        super().__init__(args, trainer)
        self.file = Contract.read().stop_file

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop, if that is asked for and there is more to train."""
        if not control.should_log or state.global_step >= state.max_steps:
            return
        asked = torch.tensor([int(self.file.exists())], device=args.device)
        if torch.distributed.is_initialized():
            torch.distributed.broadcast(asked, 0)
        if asked.item():
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure and save nothing where an epoch was left in its middle."""
        if control.should_training_stop and state.global_step < state.max_steps and state.epoch % 1:
            control.should_evaluate = control.should_save = control.should_log = False


callbacks_map["stop_in_time"] = StopInTime
