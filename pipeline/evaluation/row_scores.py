"""Figures from scores that another program gave to each row: COMET, a judge."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.row_metrics import Ratio, Statistics
from pipeline.evaluation.score_files import read_score_rows
from pipeline.evaluation.side_by_side import AnswerId, SideBySide

POINTS = {"tie": 0.5}


class Scored(Ratio):
    """The mean of scores that were given to rows, by their id, the number of the answer, and the model."""

    def __init__(self, scores: dict[tuple[AnswerId, str], float]) -> None:
        self.scores = scores
        self.unit = "mean"

    def statistics(self, rows: SideBySide, model: str) -> Statistics:
        """Return, rows x 2: the score, and one; NaN for a row without a score."""
        found = np.array([self.scores.get((name, model), math.nan) for name in rows.ids], np.float64)
        return np.stack([found, np.where(np.isnan(found), np.nan, 1.0)], axis=1)


def name_answer(row: dict[str, Any]) -> AnswerId:
    """Return the id of a row's prompt, and the number of its answer."""
    return row["id"], row.get("answer")


def read_scores(path: Path) -> Scored:
    """Return the mean of the scores in a file of score_comet.py."""
    rows = read_score_rows(path, ("id", "scores"))
    return Scored({(name_answer(row), model): float(score) for row in rows for model, score in row["scores"].items()})


def judged_metric(path: Path, one: str, two: str) -> Scored:
    """Return the win rate of `two` over `one` in the rows of judge_answers.py; invalid verdicts do not count."""
    points = {one: 0.0, two: 1.0} | POINTS
    found = read_score_rows(path, ("id", "first", "winner"))
    rows = (row for row in found if set(row["first"]["order"]) == {one, two})
    return Scored({(name_answer(row), two): points[row["winner"]] for row in rows if row["winner"] in points})
