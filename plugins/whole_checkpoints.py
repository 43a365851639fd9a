"""Make each checkpoint whole: with the figures until its step, and with the SHA-256 of its files, written last.

A resumed training logs from its checkpoint on. Figures are means since the last time they were logged, so a
checkpoint between two such steps would change the next ones.
"""

import os
from pathlib import Path
from typing import Any

import torch
from checkpoints import MANIFEST
from folder_manifest import write_manifest
from swift.trainers import SwiftMixin
from transformers import TrainerCallback


class WholeCheckpoints(TrainerCallback):
    """Logs at each step that is saved, and seals what was saved when all processes are done."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log what will be saved."""
        control.should_log |= control.should_save

    on_epoch_end = on_step_end

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the manifest, once every process has written its files."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if os.environ.get("RANK", "0") == "0":
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (checkpoint / MANIFEST).unlink(missing_ok=True)
            write_manifest(checkpoint, checkpoint / MANIFEST)


_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train, and seal every checkpoint. A training that goes on has measured the held-out pairs at its start."""
    self.add_callback(WholeCheckpoints())
    if self.args.resume_from_checkpoint:
        self.args.eval_on_start = False
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
