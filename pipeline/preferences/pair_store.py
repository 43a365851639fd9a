"""Pairs on disk: appended, read by position, and at the end written without those that are left out."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.preferences.pair import Pair
from pipeline.preferences.spill import Spill

BLOCK_BYTES = 1 << 20


class PairStore:
    """A growing file of JSON Lines; another process to which it is sent reads the same file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "all-pairs"
        self.file = self.path.open("w+b")
        self.ends = Spill(folder / "ends")  # of the lines
        self.size = 0

    def __getstate__(self) -> tuple[Path, Spill, int]:
        """Return the state that another process needs to read the pairs."""
        self.file.flush()
        return self.path, self.ends, self.size

    def __setstate__(self, state: tuple[Path, Spill, int]) -> None:
        """Open the file for reading."""
        self.path, self.ends, self.size = state
        self.file = self.path.open("r+b")

    def append(self, lines: bytes, ends: NDArray[np.uint64]) -> None:
        """Add lines, and where each of them ends."""
        self.file.write(lines)
        self.ends.append(ends + np.uint64(self.size))
        self.size += len(lines)

    def start(self, row: int) -> int:
        """Return where the line of a pair starts."""
        return self.ends[row - 1] if row else 0

    def read(self, row: int) -> Pair:
        """Return the pair with this position."""
        self.file.flush()
        start = self.start(row)
        return msgspec.json.decode(os.pread(self.file.fileno(), self.ends[row] - start, start), type=Pair)

    def leave_out(self, rows: Iterable[int]) -> None:
        """Take the lines of some rows, which come in order, out of the file. Nothing can be read by position then."""
        self.file.flush()
        start = end = 0
        for row in rows:
            end = self.move(start, self.start(row), end)
            start = self.ends[row]
        self.file.truncate(self.move(start, self.size, end))

    def move(self, start: int, stop: int, target: int) -> int:
        """Move bytes of the file to an earlier place, and return where they end."""
        if start == target:
            return stop
        while start < stop:
            block = os.pread(self.file.fileno(), min(BLOCK_BYTES, stop - start), start)
            start += len(block)
            target += os.pwrite(self.file.fileno(), block, target)
        return target

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        self.ends.close()
