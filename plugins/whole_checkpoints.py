"""Make each checkpoint whole: with the figures until its step, and with the SHA-256 of its files, written last.

A resumed training logs from its checkpoint on. Figures are means since the last time they were logged, so a
checkpoint between two such steps would change the next ones.
"""

import os
from pathlib import Path
from typing import Any

import torch
from swift.callbacks import TrainerCallback, callbacks_map

from pipeline.files.folder_manifest import write_manifest
from pipeline.training.checkpoints import MANIFEST


class WholeCheckpoints(TrainerCallback):
    """Logs at each step that is saved, and seals what was saved when all processes are done."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave out the first measuring of a training that goes on: it was done when the training began."""
        if args.resume_from_checkpoint:
            args.eval_on_start = False

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


callbacks_map["whole_checkpoints"] = WholeCheckpoints
