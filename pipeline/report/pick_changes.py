"""Which of many answers a page shows: the largest changes each way, and a sample of the others."""

import heapq
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.report.numbers_in_words import is_number

Row = dict[str, Any]
Ranked = tuple[float, int, Row]

LARGEST = 300  # changes each way
SAMPLE = 400
SEED = 17


@dataclass
class Picked:
    """Rows for the page, in the order best, worst, others; and how many there are of each kind in all."""

    best: list[Row] = field(default_factory=list)
    worst: list[Row] = field(default_factory=list)
    others: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # better, worse, same, unscored
    tags: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many rows there are in all."""
        return self.counts.total()

    @property
    def shown(self) -> list[Row]:
        """All rows for the page."""
        return [*self.best, *self.worst, *self.others]


class Sample:
    """A sample of a stream in which each row has the same chance, the same for the same stream."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.random = random.Random(seed)
        self.seen = 0
        self.rows: list[tuple[int, Row]] = []

    def add(self, number: int, row: Row) -> None:
        """Take a row, in place of another when the sample is full, or leave it."""
        self.seen += 1
        if len(self.rows) < self.size:
            self.rows.append((number, row))
        elif (place := self.random.randrange(self.seen)) < self.size:
            self.rows[place] = (number, row)


def pick_changes(rows: Iterable[Row], largest: int = LARGEST, sample: int = SAMPLE, seed: int = SEED) -> Picked:
    """Return what is shown of rows of answers.jsonl, holding no more than that in memory."""
    picked, others = Picked(), Sample(sample, seed)
    best: list[Ranked] = []
    worst: list[Ranked] = []
    for number, row in enumerate(rows):
        kind, rank = rank_change(row.get("change"))
        picked.counts[kind] += 1
        if row.get("tag"):
            picked.tags[row["tag"]] += 1
        if not rank:
            others.add(number, row)
            continue
        heap = best if kind == "better" else worst
        heapq.heappush(heap, (rank, -number, row))
        if len(heap) > largest:
            _, negative, left = heapq.heappop(heap)
            others.add(-negative, left)
    picked.best = [row for _, _, row in sorted(best, reverse=True)]
    picked.worst = [row for _, _, row in sorted(worst, reverse=True)]
    picked.others = [row for _, row in sorted(others.rows, key=lambda numbered: numbered[0])]
    return picked


def rank_change(change: object) -> tuple[str, float]:
    """Return what kind of change this is, and how large."""
    if not is_number(change):
        return "unscored", 0.0
    value = float(change)  # type: ignore[arg-type]
    kind = "better" if value > 0 else "worse" if value < 0 else "same"
    return kind, abs(value)
