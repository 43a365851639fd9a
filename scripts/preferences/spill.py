"""Columns of numbers on disk, so that memory does not grow with the data."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1 << 18
PART_ROWS = 1 << 19  # rows that are sorted in memory at a time


Column = NDArray[np.uint64]


class Spill:
    """One growing column of 64-bit numbers in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("w+b")
        self.count = 0

    def append(self, values: Column) -> None:
        """Add values at the end."""
        self.file.write(np.ascontiguousarray(values, np.uint64).data)
        self.count += len(values)

    def __getitem__(self, row: int) -> int:
        """Return one value."""
        self.file.flush()
        return int.from_bytes(os.pread(self.file.fileno(), 8, row * 8), sys.byteorder)

    def read(self, start: int, stop: int) -> Column:
        """Return the values of some rows."""
        self.file.flush()
        return np.fromfile(self.path, np.uint64, max(stop - start, 0), offset=start * 8)

    def parts(self, *beside: "Spill", drop_bit: bool = False) -> Iterator[list[Column]]:
        """Yield all rows in parts of about PART_ROWS, equal values in one part.

        A part is the values, sorted, their rows, and what other columns hold beside them. With `drop_bit`, the lowest
        bit of a value does not count.
        """
        number = self.count // PART_ROWS + 1
        for part in range(number):
            blocks = [self.select(start, part, number, beside) for start in range(0, self.count, BLOCK_ROWS)]
            if not blocks:
                return
            columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
            order = np.argsort(columns[0] >> np.uint64(1) if drop_bit else columns[0], kind="stable")
            yield [column[order] for column in columns]

    def select(self, start: int, part: int, number: int, beside: Sequence["Spill"]) -> list[Column]:
        """Return the rows of one block that belong to a part: values, rows, and what other columns hold."""
        stop = min(start + BLOCK_ROWS, self.count)
        values = self.read(start, stop)
        here = np.flatnonzero((values >> np.uint64(1)) % np.uint64(number) == part)
        rows = here.astype(np.uint64) + np.uint64(start)
        return [values[here], rows, *(other.read(start, stop)[here] for other in beside)]

    def repeats(self, *beside: "Spill") -> Iterator[list[Column]]:
        """Yield rows whose value an earlier row has, as arrays of shape (n, 2): the row, and the first with its value.

        After it, what other columns hold for both rows.
        """
        for values, *columns in self.parts(*beside):
            new = np.diff(values, prepend=~values[:1]) != 0
            first = np.flatnonzero(new)[np.cumsum(new) - 1]
            later = ~new & (values != 0)
            yield [np.stack([column[later], column[first][later]], axis=1) for column in columns]

    def close(self) -> None:
        """Close the file."""
        self.file.close()
