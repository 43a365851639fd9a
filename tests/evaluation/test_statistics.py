"""statistics.py: other processes count what is worth starting them for, and find the same."""

import os

import numpy as np
import pytest

from pipeline.evaluation.side_by_side import SideBySide
from pipeline.evaluation.statistics import WORTH_A_PROCESS, count_statistics


class Multiple:
    """Some number of times the first answer's length, and the process that counted it."""

    def __init__(self, times: int) -> None:
        self.times = times

    def statistics(self, rows: SideBySide, model: str) -> np.ndarray:
        """Return one row."""
        return np.array([[self.times * len(rows.answers[model][0]), os.getpid()]])


@pytest.mark.parametrize(
    ("rows", "cores", "here"), [(WORTH_A_PROCESS - 1, 2, True), (WORTH_A_PROCESS, 1, True), (WORTH_A_PROCESS, 2, False)]
)
def test_many_rows_are_counted_in_other_processes_and_give_the_same(rows, cores, here):
    answers = {"base": ["one"], "dpo": ["three"]}
    found = count_statistics(
        {"once": Multiple(1), "twice": Multiple(2)}, SideBySide(["id"] * rows, answers=answers), cores
    )
    assert {key: table[0, 0] for key, table in found.items()} == {
        ("once", "base"): 3, ("once", "dpo"): 5, ("twice", "base"): 6, ("twice", "dpo"): 10,
    }  # fmt: skip
    assert {table[0, 1] == os.getpid() for table in found.values()} == {here}
