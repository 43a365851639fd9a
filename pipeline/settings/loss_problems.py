"""Refuse settings of a loss that ms-swift would accept and ignore, or replace by its own default."""

from collections.abc import Iterator
from typing import Any

from pipeline.settings.losses import LOSSES, OWN_SETTINGS, has_reference, kinds_with, list_losses

Settings = dict[str, Any]

# Own settings for which ms-swift has a default that adds something: they are written out.
NEEDED = ("simpo_gamma", "cpo_alpha", "desirable_weight", "undesirable_weight")
MOVES_THE_BASE = ("pissa", "olora")


def find_loss_problems(dpo: Settings, processes: int) -> list[str]:
    """Return one line for each setting of `dpo` that does not fit its `rlhf_type` and `loss_type`."""
    found = [*check_loss_type(dpo), *check_own_settings(dpo), *check_smoothing(dpo)]
    kind = dpo["rlhf_type"]
    if has_reference(kind) and dpo["init_weights"] in MOVES_THE_BASE:
        found.append(
            f"dpo.init_weights: {dpo['init_weights']} changes the weights beneath the adapter, which {kind} takes for "
            "the reference model; set 'true'"
        )
    if kind == "kto":
        found += check_kto(dpo, processes)
    return found


def check_loss_type(dpo: Settings) -> Iterator[str]:
    """Check that the losses are losses of this kind of training, and have a weight each where they are several."""
    kind, named, weights = dpo["rlhf_type"], dpo["loss_type"], dpo["loss_weights"]
    known = list_losses(kind)
    choice = ", ".join("null" if name is None else name for name in known)
    for name in named if isinstance(named, list) else [named]:
        if name not in known:
            word = "null" if name is None else f"'{name}'"
            yield f"dpo.loss_type: {word} is not a loss of rlhf_type {kind}; write {choice}"
    if isinstance(named, list) and kind != "dpo":
        yield f"dpo.loss_type: a list goes with rlhf_type dpo only; write {choice}"
    elif isinstance(named, list) and len(weights or []) != len(named):
        yield f"dpo.loss_weights: has to hold a weight for each of the {len(named)} losses of dpo.loss_type"
    elif weights is not None and kind == "dpo" and not isinstance(named, list):
        yield "dpo.loss_weights: only used with a list as dpo.loss_type; set null"


def check_own_settings(dpo: Settings) -> Iterator[str]:
    """Check that settings which only some kinds of training use are set for those, and for no others."""
    kind = dpo["rlhf_type"]
    for name in OWN_SETTINGS:
        kinds = kinds_with(name)
        if kind not in kinds and dpo[name] is not None:
            yield f"dpo.{name}: only used with rlhf_type {' or '.join(kinds)}; set null"
        elif kind in kinds and name in NEEDED and dpo[name] is None:
            yield f"dpo.{name}: reaches the loss of rlhf_type {kind}; write it out (docs/pipeline.md#losses)"


def check_smoothing(dpo: Settings) -> Iterator[str]:
    """Check that label smoothing, where there is any, is used by one of the losses."""
    kind, named = dpo["rlhf_type"], dpo["loss_type"]
    names = named if isinstance(named, list) else [named]
    if dpo["label_smoothing"] and not any(name in LOSSES and LOSSES[name].is_smoothed for name in names):
        losses = kind if named is None else " and ".join(names)
        yield f"dpo.label_smoothing: not used by {losses}; set 0"


def check_kto(dpo: Settings, processes: int) -> Iterator[str]:
    """Check what KTO's trainer cannot do: a step of one answer, and liger's loss without a whole reference model."""
    if processes * dpo["per_device_train_batch_size"] * dpo["gradient_accumulation_steps"] < 2:
        yield "dpo.per_device_train_batch_size: kto compares the answers of a step, and needs two or more; set 2"
    if dpo["use_liger_kernel"]:
        yield "dpo.use_liger_kernel: liger's kto loss needs a second model, and a LoRA training has none; set false"
