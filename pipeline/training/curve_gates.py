"""What the curves of a training say of it: not a number, a loss that collapsed, chosen answers that grew unlikely."""

import math
from collections.abc import Iterable
from typing import Any

from pipeline.gates import Gate, gate
from pipeline.settings.losses import best_is_zero

Row = dict[str, Any]


def training_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of training, without those of the held-out pairs."""
    return [row for row in rows if "loss" in row]


def judge_finite(rows: list[Row]) -> Gate:
    """Return the gate that every figure is a number."""
    numbers = [(row["step"], name) for row in rows for name, value in row.items() if not is_finite(value)]
    value = f"{numbers[0][1]} at step {numbers[0][0]}" if numbers else f"{len(rows)} rows of finite figures"
    return gate("finite", not numbers, value, "no figure infinite or NaN")


def is_finite(value: Any) -> bool:
    """Return whether a value is text or a finite number."""
    return not isinstance(value, float) or math.isfinite(value)


def judge_collapse(rows: list[Row], share: float, loss_types: list[str]) -> Gate:
    """Return the gate that the training loss stays above `share` of the first one.

    A loss near zero within an epoch says that the pairs are memorised or all alike.
    """
    if best_is_zero(loss_types):
        return gate("loss_collapse", True, "not judged", f"the best loss of {'+'.join(loss_types)} is 0")
    losses = training_rows(rows)
    expected = f"a loss above {share:g} of the first"
    for row in losses:
        if row["loss"] < share * losses[0]["loss"]:
            return gate("loss_collapse", False, f"{row['loss']:.4g} at step {row['step']}", expected)
    lowest = min((row["loss"] for row in losses), default=math.nan)
    return gate("loss_collapse", True, f"lowest {lowest:.4g}", expected)


def judge_chosen(rows: list[Row], beta: float, nats: float) -> Gate:
    """Return the gate that chosen answers do not grow less likely than under the reference by more than `nats` a pair.

    A reward is beta times the log-probability over the reference's. DPO's loss falls as well where both answers
    grow unlikely, the rejected one faster.
    """
    expected = f"at most {nats:g} nats a pair below the reference"
    falls = [(-row["rewards/chosen"] / beta, row["step"]) for row in training_rows(rows) if "rewards/chosen" in row]
    for fall, step in falls:
        if fall > nats:
            return gate("chosen_log_probability", False, f"{fall:.4g} nats below at step {step}", expected)
    worst = max(falls, default=(0.0, 0))
    return gate("chosen_log_probability", True, f"at worst {max(worst[0], 0.0):.4g} nats below", expected)
