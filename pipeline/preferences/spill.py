"""Columns of numbers on disk, so that the memory needed does not grow with the data."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1 << 18
PART_ROWS = 1 << 18  # rows that are sorted in memory at a time
FEW_ROWS = 1 << 15  # which need not be shared among processes
SHARES = 3


Column = NDArray[np.uint64]


class Spill:
    """One growing column of 64-bit numbers in a file; another process to which it is sent reads the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO = path.open("w+b")
        self.count = 0

    def __getstate__(self) -> tuple[Path, int]:
        """Return the state that another process needs to read the column."""
        self.file.flush()
        return self.path, self.count

    def __setstate__(self, state: tuple[Path, int]) -> None:
        """Open the file for reading."""
        self.path, self.count = state
        self.file = self.path.open("rb")

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

    @property
    def parts(self) -> range:
        """The parts of at most about PART_ROWS into which all rows fall; equal values fall into one."""
        return range(max(self.count // PART_ROWS, min(self.count // FEW_ROWS, SHARES)) + 1)

    def part(self, part: int, *beside: "Spill", drop_bit: bool = False) -> list[Column]:
        """Return a part: its values, sorted, their rows, and what other columns hold beside them.

        With `drop_bit`, the lowest bit of a value does not count.
        """
        blocks = [self.select(start, part, beside) for start in range(0, max(self.count, 1), BLOCK_ROWS)]
        columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
        order = np.argsort(columns[0] >> np.uint64(1) if drop_bit else columns[0], kind="stable")
        return [column[order] for column in columns]

    def select(self, start: int, part: int, beside: Sequence["Spill"]) -> list[Column]:
        """Return the rows of one block that belong to a part: values, rows, and what other columns hold."""
        stop = min(start + BLOCK_ROWS, self.count)
        values = self.read(start, stop)
        here = np.flatnonzero((values >> np.uint64(1)) % np.uint64(len(self.parts)) == part)
        rows = here.astype(np.uint64) + np.uint64(start)
        return [values[here], rows, *(other.read(start, stop)[here] for other in beside)]

    def repeats(self, part: int, *beside: "Spill") -> list[Column]:
        """Return rows of a part whose value an earlier row has, shape (n, 2): the row, and the first with its value.

        After it, what other columns hold for both rows.
        """
        values, *columns = self.part(part, *beside)
        new = np.diff(values, prepend=~values[:1]) != 0
        first = np.flatnonzero(new)[np.cumsum(new) - 1]
        later = ~new & (values != 0)
        return [np.stack([column[later], column[first][later]], axis=1) for column in columns]

    def close(self) -> None:
        """Close the file."""
        self.file.close()
