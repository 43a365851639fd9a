"""benchmarks/speed/share_gpus.py: trainings side by side, each on GPUs of its own."""

import threading
from typing import NamedTuple

import pytest

from benchmarks.speed.share_gpus import share_gpus


class Row(NamedTuple):
    """What needs GPUs."""

    gpus: int = 1
    after: str | None = None


ROWS = {"one": Row(), "two": Row(2), "late": Row(after="two"), "all": Row(3), "another": Row()}


class Recorder:
    """Runs rows, which end when `together` of them have begun, and notes what began and ended when."""

    def __init__(self, together: int = 1) -> None:
        self.lock, self.busy = threading.Lock(), set()
        self.order: list[tuple[str, str]] = []
        self.gate = threading.Barrier(together)

    def run(self, name: str, row: Row, gpus: list[int]) -> dict:
        """Run a row."""
        with self.lock:
            assert not self.busy & set(gpus), "a GPU was lent twice"
            assert len(gpus) == row.gpus
            self.busy |= set(gpus)
            self.order.append(("begins", name))
        self.gate.wait(timeout=60)
        with self.lock:
            self.busy -= set(gpus)
            self.order.append(("ends", name))
        return {"name": name}


def test_every_row_runs_on_gpus_that_no_other_has():
    recorder = Recorder()
    found = list(share_gpus(ROWS, [0, 1, 2], recorder.run))
    assert sorted(row["name"] for row in found) == sorted(ROWS)


def test_rows_run_at_the_same_time_where_there_are_gpus_for_them():
    recorder = Recorder(together=3)
    rows = {name: Row() for name in "abc"}
    assert len(list(share_gpus(rows, [0, 1, 2], recorder.run))) == 3  # else the barrier breaks


def test_a_row_waits_for_the_one_that_it_comes_after():
    recorder = Recorder()
    list(share_gpus(ROWS, [0, 1, 2], recorder.run))
    assert recorder.order.index(("ends", "two")) < recorder.order.index(("begins", "late"))


def test_a_row_of_more_gpus_than_there_are_is_refused():
    with pytest.raises(ValueError, match="all: needs 3 GPUs, and there are 2"):
        list(share_gpus(ROWS, [0, 1], Recorder().run))


def test_a_row_that_fails_is_told_and_does_not_hold_the_others():
    def run(name: str, row: Row, gpus: list[int]) -> dict:
        if name == "one":
            raise RuntimeError("one fell over")
        return {"name": name}

    with pytest.raises(RuntimeError, match="one fell over"):
        list(share_gpus(ROWS, [0, 1, 2], run))
