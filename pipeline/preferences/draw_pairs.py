"""Draw as many pairs from each source as its limit allows; the memory needed does not grow with the data.

Each pair has a number that depends on the pair and the seed alone, and the smallest numbers are drawn: pairs that are
added to a source take the places of few others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.preferences.keys import ODD, Keys, mix
from pipeline.preferences.sources import Source
from pipeline.preferences.spill import BLOCK_ROWS, Column, Spill

Flags = NDArray[np.bool_]  # of all pairs


@dataclass(frozen=True)
class Draw:
    """The sources, in the order in which their files are read, and the seed of the choice."""

    sources: Sequence[Source]
    seed: int

    def source_of(self, files: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of the source of each file, which is given by its position among all."""
        return np.repeat(np.arange(len(self.sources)), [len(source.files) for source in self.sources])[files]

    def numbers(self, keys: Keys) -> Keys:
        """Return the number of each pair, from its key."""
        return mix(keys + mix(np.array([self.seed], np.uint64) * ODD))


class SourcedPairs:
    """The pairs of a conversion in blocks, with their sources and numbers."""

    def __init__(self, draw: Draw, keys: Spill, rows: Spill, starts: Column) -> None:
        self.draw = draw
        self.keys = keys
        self.rows = rows  # the number of each pair's row among all rows
        self.starts = starts  # the number of rows before each file

    def read(self) -> Iterator[tuple[int, NDArray[np.int64], Keys]]:
        """Yield the position of each block, and of its pairs the source and the number."""
        for start in range(0, self.keys.count, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self.keys.count)
            files = np.searchsorted(self.starts, self.rows.read(start, stop), side="left") - 1
            yield start, self.draw.source_of(files), self.draw.numbers(self.keys.read(start, stop))

    def find_surplus(self, rejected: Flags) -> Flags:
        """Say of each pair whether it is over the limit of its source; rejected ones do not count."""
        surplus = np.zeros(self.keys.count, bool)
        for position, source in enumerate(self.draw.sources):
            if source.limit is None:
                continue
            largest = self.largest_drawn(position, source.limit, rejected)
            for start, sources, numbers in self.read():
                here = slice(start, start + len(sources))
                surplus[here] |= (sources == position) & (numbers > largest) & ~rejected[here]
        return surplus

    def largest_drawn(self, position: int, limit: int, rejected: Flags) -> np.uint64:
        """Return the largest number of a pair of this source that is drawn."""
        drawn = np.zeros(0, np.uint64)
        for start, sources, numbers in self.read():
            here = (sources == position) & ~rejected[start : start + len(sources)]
            drawn = np.concatenate([drawn, numbers[here]])
            if len(drawn) > limit:
                drawn = np.partition(drawn, limit - 1)[:limit]
        return drawn.max() if len(drawn) == limit else np.uint64(2**64 - 1)

    def count(self, left_out: Flags) -> list[int]:
        """Return how many pairs of each source are not left out."""
        counts = np.zeros(len(self.draw.sources), np.int64)
        for start, sources, _ in self.read():
            counts += np.bincount(sources[~left_out[start : start + len(sources)]], minlength=len(counts))
        return counts.tolist()
