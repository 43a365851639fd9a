"""Seconds, loss and tokens of every step, the most memory, and the first gradient, of any trainer of transformers."""

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import TrainerCallback

MEASURED = ("loss", "grad_norm", "rewards/margins")


class StepClock(TrainerCallback):  # type: ignore[misc]
    """Times each step between two points at which the GPU has nothing left to do, into the file STEPS_FILE.

    Tokens are those of both sequences of each pair as the trainer is given them, without padding.
    """

    def __init__(self) -> None:
        self.file = Path(os.environ["STEPS_FILE"])
        self.rows: list[dict[str, Any]] = []
        self.tokens = 0
        self.start = 0.0

    def watch(self, trainer: Any) -> None:
        """Have a trainer tell of its steps, and count what they are given."""
        trainer.add_callback(self)
        step = trainer.training_step

        def training_step(model: Any, inputs: dict[str, Any], *others: Any, **named: Any) -> Any:
            self.tokens += int(inputs["attention_mask"].sum())
            return step(model, inputs, *others, **named)

        trainer.training_step = training_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        torch.cuda.synchronize()
        self.tokens, self.start = 0, time.perf_counter()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """Keep the first gradient."""
        grads = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        if state.global_step == 0 and grads:
            save_file({name: grad.float().contiguous() for name, grad in grads.items()}, f"{self.file}.gradient")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock."""
        torch.cuda.synchronize()
        self.rows.append({"seconds": time.perf_counter() - self.start, "tokens": self.tokens})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep the loss, and write down what is known so far."""
        if logs and "loss" in logs:
            self.rows[-1] |= {name: logs[name] for name in MEASURED if name in logs}
            peak = torch.cuda.max_memory_allocated() / 2**30
            self.file.write_text(json.dumps({"steps": self.rows, "peak_gib": peak}), encoding="utf-8")
