"""Stop a training that is not the one that was asked for, at its first step and not at its last.

What is judged is what the trainer has in force, not what it was told. Every process judges, the first one writes.
"""

import os
from collections.abc import Iterator
from typing import Any

import torch
from swift.callbacks import TrainerCallback, callbacks_map
from swift.dataloader import BatchSamplerShard

from pipeline.gates import Gate, gate, record_gate
from pipeline.launch.contract import Contract
from pipeline.settings.losses import PREFERENCES, has_reference, loss_names
from pipeline.training.curve_gates import judge_chosen, judge_collapse, judge_finite
from pipeline.training.first_loss import predict_first_loss
from pipeline.training.lora_coverage import describe_coverage, find_uncovered, tabulate, wrapped_parts, write_coverage

TOLERANCE = 1e-4
IN_FORCE = (*PREFERENCES, "router_aux_loss_coef")


class TrainingGates(TrainerCallback):
    """Judges a training before its first step, at it, after the first epoch, and whenever figures are logged."""

    def __init__(self, args: Any, trainer: Any) -> None:
        super().__init__(args, trainer)
        self.contract = Contract.read()
        self.has_reference = has_reference(self.contract.gates["asked"]["rlhf_type"])
        self.drawn: set[int] = set()  # rows that this process was given

    def record(self, row: Gate) -> None:
        """Write a gate down, and stop the training if it failed."""
        record_gate(self.contract.gates_file, row)

    def on_init_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Come last, after ms-swift's own that writes logging.jsonl: a figure that fails is written there, too."""
        handler = self.trainer.callback_handler
        handler.callbacks = [*(callback for callback in handler.callbacks if callback is not self), self]

    def on_train_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any, **_: Any) -> None:
        """Judge what is known before the first step: where the LoRA is, and what the reference model is."""
        model, layers = self.trainer.model, self.trainer.model.config.num_hidden_layers
        rows = tabulate(wrapped_parts(model))
        config = model.peft_config["default"]
        targets = [*config.target_modules, *(config.target_parameters or [])]
        uncovered = find_uncovered(rows, targets, layers)
        expected = f"{', '.join(sorted(target.rpartition('.')[2] for target in targets))} in {layers} layers"
        if os.environ.get("RANK", "0") == "0":
            write_coverage(self.contract.gates_file.with_name("lora_coverage.csv"), rows)
        self.record(gate("lora_coverage", bool(rows) and not uncovered, describe_coverage(rows, layers), expected))
        if self.has_reference:
            wanted = self.contract.gates["reference"]
            seen = f"{os.path.relpath(model.get_base_model().name_or_path)}, {reference_adapter(self.trainer)}"
            self.record(gate("reference", seen == wanted, seen, wanted))
        note_rows(train_dataloader.batch_sampler, self.drawn)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Judge the figures of a step."""
        if not logs or "loss" not in logs:
            return
        if state.global_step == 1:
            self.record(gate("first_grad_norm", logs["grad_norm"] > 0, round(logs["grad_norm"], 6), "above 0"))
            for row in judge_first_loss(args, self.contract.gates["asked"], logs) if self.has_reference else ():
                self.record(row)
        rows = [row for row in state.log_history if "loss" in row]
        for row in judge_so_far(args, self.contract.gates, rows, self.has_reference):
            if not row["passed"]:
                self.record(row)

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
        self.record(gate("rows_trained", part or trained == rows, trained, f"a part of {rows}" if part else rows))


def reference_adapter(trainer: Any) -> str:
    """Return which adapter the reference model has."""
    if trainer.ref_model is not None:
        return "a model of its own"
    return "with the SFT adapter" if trainer.ref_adapter_name == "ref_adapter" else "without an adapter"


def judge_first_loss(args: Any, asked: dict[str, Any], logs: dict[str, Any]) -> Iterator[Gate]:
    """Yield the gates of the first step's loss and reward margin: the policy is still the reference."""
    predicted = predict_first_loss({name: getattr(args, name, None) for name in IN_FORCE} | asked, logs)
    if predicted is None:
        yield gate("first_loss", logs["loss"] > 0, round(logs["loss"], 6), "above 0; no closed form for this loss")
        return
    close = abs(logs["loss"] - predicted) <= TOLERANCE
    yield gate("first_loss", close, round(logs["loss"], 6), f"{predicted:.6f} within {TOLERANCE:g}")
    if "rewards/margins" in logs:  # the first process alone has KTO's
        yield gate("first_margin", logs["rewards/margins"] == 0, logs["rewards/margins"], 0)


def judge_so_far(
    args: Any, settings: dict[str, Any], rows: list[dict[str, Any]], has_reference: bool
) -> Iterator[Gate]:
    """Yield the gates of the figures so far: the last are finite and, if asked for, none collapses."""
    yield judge_finite(rows[-1:])
    if settings["collapse"] == "stop":
        yield judge_collapse(rows, settings["loss_share"], loss_names(getattr(args, "loss_type", None)))
        if has_reference:
            yield judge_chosen(rows, args.beta, settings["chosen_fall"])


def note_rows(sampler: Any, drawn: set[int]) -> None:
    """Note which rows of the training this process is given.

    SFT and DPO draw batches from ms-swift's sampler (a resumed training makes another one); the other kinds
    draw them from accelerate's or torch's, whose classes serve the held-out rows, too.
    """
    kind = type(sampler)
    iterate = kind.__iter__

    def noting(self: Any) -> Iterator[list[int]]:
        for batch in iterate(self):
            if self is sampler or kind is BatchSamplerShard:
                drawn.update(batch)
            yield batch

    kind.__iter__ = noting


callbacks_map["training_gates"] = TrainingGates
