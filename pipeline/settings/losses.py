"""Facts about the losses of ms-swift's preference trainers, one row a kind of training and one row a loss.

Only facts: trainings import this, and must not run again because the validation of settings was edited.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of training (`rlhf_type`): which settings reach its loss alone, and whether it has a reference model.

    `recorded_as` is the kind under which ms-swift writes it down, where that is another one whose trainer it uses.
    """

    own_settings: tuple[str, ...] = ()
    has_reference: bool = False
    recorded_as: str | None = None


@dataclass(frozen=True)
class Loss:
    """A loss (`loss_type`), and what its formula says.

    `constant` is the loss of ms-swift 4.6.0's DPO trainer where all log-ratios are 0, from beta. Where `best_is_zero`,
    a loss near 0 says nothing about memorised pairs. `is_smoothed` says that it uses `label_smoothing`.
    """

    kinds: tuple[str, ...]
    constant: Callable[[float], float] | None = None
    best_is_zero: bool = False
    is_smoothed: bool = False


KINDS = {
    "dpo": Kind(("loss_weights", "rpo_alpha", "ld_alpha"), has_reference=True),
    "simpo": Kind(("simpo_gamma", "cpo_alpha"), recorded_as="cpo"),
    "cpo": Kind(("cpo_alpha",)),
    "orpo": Kind(),  # with one loss only, and no flag for it
    "kto": Kind(("desirable_weight", "undesirable_weight"), has_reference=True),
}
LOSSES = {
    "sigmoid": Loss(("dpo", "cpo"), lambda beta: math.log(2), is_smoothed=True),  # whatever the smoothing
    "ipo": Loss(("dpo",), lambda beta: 1 / (4 * beta**2), best_is_zero=True),
    "hinge": Loss(("dpo",), lambda beta: 1.0, best_is_zero=True),
    "robust": Loss(("dpo",), lambda beta: math.log(2), is_smoothed=True),
    "apo_zero": Loss(("dpo",), lambda beta: 1.0),
    "sppo_hard": Loss(("dpo",), lambda beta: 1 / (2 * beta**2), best_is_zero=True),
    "simpo": Loss(("simpo",), is_smoothed=True),
    "kto": Loss(("kto",)),
}
# Null for the kinds that do not use them.
OWN_SETTINGS = tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.own_settings))
# Settings of `dpo` that reach the loss of pairs; SFT has none of them.
PREFERENCES = ("rlhf_type", "loss_type", "beta", "label_smoothing", *OWN_SETTINGS)


def has_reference(kind: str | None) -> bool:
    """Return whether a kind of training has a reference model. None is SFT, which has none."""
    return kind in KINDS and KINDS[kind].has_reference


def kinds_with(setting: str) -> list[str]:
    """Return the kinds of training whose loss a setting reaches alone; none for a setting of all kinds."""
    return [name for name, kind in KINDS.items() if setting in kind.own_settings]


def list_losses(kind: str) -> list[str | None]:
    """Return the values that `loss_type` can have with a kind of training: null where there is one loss only."""
    return [name for name, loss in LOSSES.items() if kind in loss.kinds] or [None]


def best_is_zero(losses: list[str]) -> bool:
    """Return whether 0 is the best value of one of the losses."""
    return any(name in LOSSES and LOSSES[name].best_is_zero for name in losses)


def loss_names(loss_type: str | list[str] | None) -> list[str]:
    """Return the losses that a `loss_type` names: one, those of a mixture, or none."""
    return [loss_type] if isinstance(loss_type, str) else loss_type or []
