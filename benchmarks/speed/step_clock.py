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

    Where several processes train together, the first of them writes: tokens of all, and the most memory that one has.
    Tokens are those of both sequences of each pair as the trainer is given them, without padding.
    """

    def __init__(self) -> None:
        self.file = Path(os.environ["STEPS_FILE"])
        self.rows: list[dict[str, Any]] = []
        self.tokens = 0
        self.start = self.end = self.between = 0.0
        self.peak_gib = self.card_gib = 0.0
        self.first = os.environ.get("RANK", "0") == "0"

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
        self.between = self.start - (self.end or self.start)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """Keep the first gradient."""
        grads = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        if self.first and state.global_step == 0 and grads:
            named = {name: grad.float().contiguous() for name, grad in grads.items()}
            save_file(named, self.file.with_name("gradient"))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock."""
        torch.cuda.synchronize()
        self.end = time.perf_counter()
        seconds = self.end - self.start
        free, all_of_it = torch.cuda.mem_get_info()
        found = [(self.tokens, torch.cuda.max_memory_allocated() / 2**30, (all_of_it - free) / 2**30)]
        if torch.distributed.is_initialized():
            found = found * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(found, found[0])
        tokens, peaks, cards = zip(*found, strict=True)
        self.peak_gib, self.card_gib = max(peaks), max(cards)
        self.rows.append({"seconds": seconds, "between": self.between, "tokens": sum(tokens)})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep the loss, and write down what is known so far."""
        if self.first and logs and "loss" in logs:
            self.rows[-1] |= {name: logs[name] for name in MEASURED if name in logs}
            told = {"steps": self.rows, "peak_gib": self.peak_gib, "card_gib": self.card_gib}
            self.file.write_text(json.dumps(told), encoding="utf-8")
