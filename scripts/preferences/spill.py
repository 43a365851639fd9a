"""Columns of numbers on disk, so that memory does not grow with the data."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1 << 18
PART_ROWS = 1 << 19  # rows that are sorted in memory at a time


class Spill:
    """One growing column of 64-bit numbers in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("w+b")
        self.count = 0

    def append(self, values: NDArray[np.uint64]) -> None:
        """Add values at the end."""
        self.file.write(np.ascontiguousarray(values, np.uint64).data)
        self.count += len(values)

    def __getitem__(self, row: int) -> int:
        """Return one value."""
        self.file.flush()
        return int.from_bytes(os.pread(self.file.fileno(), 8, row * 8), sys.byteorder)

    def read(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Return the values of some rows."""
        self.file.flush()
        return np.fromfile(self.path, np.uint64, max(stop - start, 0), offset=start * 8)

    def map(self) -> NDArray[np.uint64]:
        """Return all values, which are read from disk when they are asked for."""
        self.file.flush()
        return np.memmap(self.path, np.uint64, "r") if self.count else np.zeros(0, np.uint64)

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        """Yield the number of the first row of each block, and the block."""
        for start in range(0, self.count, BLOCK_ROWS):
            yield start, self.read(start, min(start + BLOCK_ROWS, self.count))

    def parts(self, ignore_lowest_bit: bool = False) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
        """Yield all rows in parts of about PART_ROWS, equal values in one part: the values, sorted, and their rows."""
        number = self.count // PART_ROWS + 1
        for part in range(number):
            found = [
                (values[here], here.astype(np.uint64) + np.uint64(start))
                for start, values in self.blocks()
                for here in [np.flatnonzero((values >> np.uint64(1)) % np.uint64(number) == part)]
            ]
            if not found:
                return
            values, rows = (np.concatenate(columns) for columns in zip(*found, strict=True))
            order = np.argsort(values >> np.uint64(1) if ignore_lowest_bit else values, kind="stable")
            yield values[order], rows[order]

    def repeats(self) -> Iterator[NDArray[np.uint64]]:
        """Yield rows whose value an earlier row has: arrays of shape (n, 2), the row and the first with its value."""
        for values, rows in self.parts():
            new = np.diff(values, prepend=~values[:1]) != 0
            firsts = rows[np.flatnonzero(new)[np.cumsum(new) - 1]]
            later = ~new & (values != 0)
            yield np.stack([rows[later], firsts[later]], axis=1)

    def close(self) -> None:
        """Close the file."""
        self.file.close()
