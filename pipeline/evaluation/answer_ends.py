"""Figures of how answers ended and how many tokens they have, and the gate on answers that lost their final."""

from collections.abc import Callable

import numpy as np

from pipeline.evaluation.figures import DIGITS
from pipeline.evaluation.row_metrics import Ratio, Statistics
from pipeline.evaluation.side_by_side import End, SideBySide
from pipeline.gates import Gate, gate

LOST_FINALS = "lost_finals"  # the gate
FIX = "; raise infer.max_new_tokens if answers are cut, or train on answers that think and then have a final"


class OfEnds(Ratio):
    """The mean of a value that the end of each answer has."""

    def __init__(self, value: Callable[[End], float], unit: str) -> None:
        self.value = value
        self.unit = unit

    def statistics(self, rows: SideBySide, model: str) -> Statistics:
        """Return, rows x 2: the value, and one."""
        found = np.array([self.value(end) for end in rows.ends[model]], np.float64)
        return np.stack([found, np.ones_like(found)], axis=1)


def end_metrics() -> dict[str, OfEnds]:
    """Return the figures of how answers ended."""
    return {
        "cut_answers": OfEnds(lambda end: end.finish == "length", "share"),
        "no_final": OfEnds(lambda end: end.finish == "no_final", "share"),
        "analysis_tokens": OfEnds(lambda end: end.analysis_tokens, "tokens"),
        "final_tokens": OfEnds(lambda end: end.final_tokens, "tokens"),
    }


def judge_lost_finals(rows: SideBySide, most: float) -> list[Gate]:
    """Return the gate on the share of answers without a whole final, that of the last model beside those before it.

    A model alone has nothing to be compared with, and no gate.
    """
    *before, last = rows.models
    if not before:
        return []
    shares = {model: sum(end.finish != "stop" for end in ends) / len(ends) for model, ends in rows.ends.items()}
    rises = {model: round(shares[last] - shares[model], DIGITS) for model in before}
    worst = max(rises, key=rises.__getitem__)
    passed = rises[worst] <= most
    said = f"{rises[worst]:.3f} over {worst} ({shares[worst]:.3f} -> {shares[last]:.3f} of the answers of {last})"
    return [gate(LOST_FINALS, passed, said, f"at most {most} (gates.lost_finals){'' if passed else FIX}")]
