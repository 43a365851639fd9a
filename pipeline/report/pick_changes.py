"""Pick the answers that a page shows: the largest changes each way, and a sample of the others."""

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
    """Rows for the page, in the order best, worst, others; and the total number of each kind."""

    best: list[Row] = field(default_factory=list)
    worst: list[Row] = field(default_factory=list)
    others: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # better, worse, same, unscored
    tags: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """The number of all rows."""
        return self.counts.total()

    @property
    def shown(self) -> list[Row]:
        """All rows for the page."""
        return [*self.best, *self.worst, *self.others]


class Sample:
    """A random sample of a stream, each row with the same chance; the same stream gives the same sample."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.random = random.Random(seed)
        self.seen = 0
        self.rows: list[tuple[int, Row]] = []

    def add(self, number: int, row: Row) -> None:
        """Take a row or leave it; when the sample is full, a taken row replaces another."""
        self.seen += 1
        if len(self.rows) < self.size:
            self.rows.append((number, row))
        elif (place := self.random.randrange(self.seen)) < self.size:
            self.rows[place] = (number, row)


def pick_changes(rows: Iterable[Row], largest: int = LARGEST, sample: int = SAMPLE, seed: int = SEED) -> Picked:
    """Return the rows of answers.jsonl to show; only those are held in memory."""
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
    """Return the kind of a change, and its size."""
    if not is_number(change):
        return "unscored", 0.0
    value = float(change)  # type: ignore[arg-type]
    kind = "better" if value > 0 else "worse" if value < 0 else "same"
    return kind, abs(value)
