"""Stop a training that is not the one that was asked for, at its first step and not at its last.

GATES_FILE names the file of gates; GATES holds config.yaml's `gates:` as JSON. What is judged is what the
trainer has in force, not what it was told. Every process judges, the first one writes.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from first_loss import predict_first_loss
from gates import Gate, gate, record_gate
from judge_curves import judge_chosen, judge_collapse, judge_finite
from lora_coverage import describe_coverage, find_uncovered, tabulate, wrapped_parts, write_coverage
from swift.dataloader import BatchSamplerShard
from swift.trainers import SwiftMixin
from transformers import TrainerCallback

FILE = Path(os.environ["GATES_FILE"])
SETTINGS = json.loads(os.environ["GATES"])
REFERENCED = ("DPOTrainer", "KTOTrainer")
TOLERANCE = 1e-4
IN_FORCE = (
    *("beta", "label_smoothing", "rpo_alpha", "ld_alpha", "loss_type", "loss_weights", "router_aux_loss_coef"),
    *("simpo_gamma", "cpo_alpha", "desirable_weight", "undesirable_weight"),
)


def record(row: Gate) -> None:
    """Write a gate down, and stop the training if it failed."""
    record_gate(FILE, row)


class TrainingGates(TrainerCallback):
    """Judges a training before its first step, at it, after the first epoch, and whenever figures are logged."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.drawn: set[int] = set()  # rows that this process was given

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Judge the figures of a step."""
        if not logs or "loss" not in logs:
            return
        if state.global_step == 1:
            judge_first_step(self.trainer, logs)
        rows = [row for row in state.log_history if "loss" in row]
        finite = judge_finite(rows[-1:])
        if not finite["passed"]:
            record(finite)
        if SETTINGS["collapse"] == "stop":
            judged = [judge_collapse(rows, SETTINGS["loss_share"], loss_types(args))]
            if type(self.trainer).__name__ in REFERENCED:
                judged.append(judge_chosen(rows, args.beta, SETTINGS["chosen_fall"]))
            for row in (row for row in judged if not row["passed"]):
                record(row)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """See that the processes together were given every row; not where a later epoch was left in its middle."""
        if state.epoch > 1 and state.epoch % 1:
            return
        together: list[Any] = [self.drawn]
        if torch.distributed.is_initialized():
            together = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(together, self.drawn)
        rows = len(self.trainer.train_dataset)
        trained = len(set().union(*together))
        part = state.epoch < 1  # num_train_epochs may be below 1
        record(gate("rows_trained", part or trained == rows, trained, f"a part of {rows}" if part else rows))


def judge_start(trainer: Any) -> None:
    """Judge what is known before the first step: where the LoRA is, and what the reference model is."""
    model, layers = trainer.model, trainer.model.config.num_hidden_layers
    rows = tabulate(wrapped_parts(model))
    config = model.peft_config["default"]
    targets = [*config.target_modules, *(config.target_parameters or [])]
    uncovered = find_uncovered(rows, targets, layers)
    expected = f"{', '.join(sorted(target.rpartition('.')[2] for target in targets))} in {layers} layers"
    if os.environ.get("RANK", "0") == "0":
        write_coverage(FILE.with_name("lora_coverage.csv"), rows)
    record(gate("lora_coverage", bool(rows) and not uncovered, describe_coverage(rows, layers), expected))
    if type(trainer).__name__ in REFERENCED:
        seen = f"{os.path.relpath(model.get_base_model().name_or_path)}, {reference_adapter(trainer)}"
        record(gate("reference", seen == SETTINGS["reference"], seen, SETTINGS["reference"]))


def reference_adapter(trainer: Any) -> str:
    """Return which adapter the reference model has."""
    if trainer.ref_model is not None:
        return "a model of its own"
    return "with the SFT adapter" if trainer.ref_adapter_name == "ref_adapter" else "without an adapter"


def loss_types(args: Any) -> list[str]:
    """Return the losses in force; none for SFT."""
    names = getattr(args, "loss_type", None) or []
    return [names] if isinstance(names, str) else list(names)


def judge_first_step(trainer: Any, logs: dict[str, Any]) -> None:
    """Judge the loss, the reward margin and the gradient of the first step, where the policy is the reference."""
    record(gate("first_grad_norm", logs["grad_norm"] > 0, round(logs["grad_norm"], 6), "above 0"))
    if type(trainer).__name__ not in REFERENCED:
        return
    in_force = {name: getattr(trainer.args, name, None) for name in IN_FORCE}
    predicted = predict_first_loss(in_force | SETTINGS["asked"], logs)
    if predicted is None:
        record(gate("first_loss", logs["loss"] > 0, round(logs["loss"], 6), "above 0; no closed form for this loss"))
        return
    close = abs(logs["loss"] - predicted) <= TOLERANCE
    record(gate("first_loss", close, round(logs["loss"], 6), f"{predicted:.6f} within {TOLERANCE:g}"))
    margin = logs["rewards/margins"]
    record(gate("first_margin", margin == 0, margin, 0))


def note_rows(gates: TrainingGates) -> None:
    """Let the sampler tell which rows it gives to this process."""
    iterate = BatchSamplerShard.__iter__

    def noting(self: Any) -> Any:
        for batch in iterate(self):
            gates.drawn.update(batch)
            yield batch

    BatchSamplerShard.__iter__ = noting


_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train under the gates."""
    judge_start(self)
    gates = TrainingGates(self)
    note_rows(gates)
    self.add_callback(gates)
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
