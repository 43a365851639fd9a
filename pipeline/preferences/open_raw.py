"""Open raw files of the kinds that are read, and unpack them up to a limit."""

import gzip
import io
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pyarrow as pa

from pipeline.preferences.chunk import BrokenFile

KINDS = (".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather", ".csv", ".tsv")
PACKED = (".gz", ".zst")


class UnreadableRaw(Exception):
    """What data.raw names cannot be listed; the message is one line."""


def kind_of(path: Path) -> str:
    """Return the file's ending without that of a packer: `.jsonl` for rows.jsonl.gz."""
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


@contextmanager
def seekable(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give a stream that can be read twice: itself, or a copy in a temporary file."""
    if stream.seekable():
        yield stream
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy


class Bounded(io.RawIOBase):
    """A stream that ends with an error when it unpacks to more than a limit, or is damaged."""

    def __init__(self, stream: Any, limit: int) -> None:
        super().__init__()
        self.stream = stream
        self.limit = limit
        self.count = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer; return how many bytes there were."""
        try:
            block = self.stream.read(len(buffer))
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # the disk, not the file
                raise
            raise BrokenFile(f"damaged: {str(error).splitlines()[0]}") from None
        self.count += len(block)
        if self.count > self.limit:
            raise BrokenFile(f"unpacks to more than {self.limit / 1e9:g} GB, the limit of data.max_unpacked_gb")
        buffer[: len(block)] = block
        return len(block)


def open_raw(path: Path, packed: io.BufferedReader, max_unpacked_bytes: int) -> io.BufferedReader:
    """Return a stream of what a file holds, unpacked where its name ends in .gz or .zst."""
    if path.suffix.lower() == ".gz":
        unpacked: Any = gzip.GzipFile(fileobj=packed)
    elif path.suffix.lower() == ".zst":
        # Unlike zstandard's own reader, Arrow's tells a truncated file from a whole one.
        unpacked = pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")
    else:
        return packed
    return io.BufferedReader(Bounded(unpacked, max_unpacked_bytes), 1 << 20)
