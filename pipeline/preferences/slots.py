"""A memory-mapped file that several processes share, so that rows need not pass through a pipe."""

import mmap
import os
from pathlib import Path

from pipeline.preferences.chunk import CHUNK_BYTES

SLOT_BYTES = 2 * CHUNK_BYTES


class Slots:
    """The file in parts of SLOT_BYTES.

    Only the owner of a slot writes it; the processes tell each other when the owner changes.
    """

    def __init__(self, path: Path) -> None:
        """Open the file."""
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    @classmethod
    def create(cls, path: Path, number: int) -> "Slots":
        """Make the file, on a disk that has room for all of it."""
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, number * SLOT_BYTES)
        return cls(path)

    def write(self, slot: int, data: bytes) -> None:
        """Write bytes into a slot, which must be large enough."""
        start = slot * SLOT_BYTES
        self.memory[start : start + len(data)] = data

    def read(self, slot: int, size: int) -> bytes:
        """Return the first bytes of a slot."""
        start = slot * SLOT_BYTES
        return self.memory[start : start + size]

    def close(self) -> None:
        """Give up the memory."""
        self.memory.close()
