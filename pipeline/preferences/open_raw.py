"""Find the raw files that data.raw names, and unpack them up to a limit."""

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from pipeline.preferences.chunk import BrokenFile

KINDS = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv")
PACKED = (".gz", ".zst")


def list_raw_files(raw: str) -> list[Path]:
    """Return the files that a path, a folder or a glob names, sorted; none where there is nothing."""
    path = Path(raw)
    if path.is_dir():
        found = [file for file in path.rglob("*") if kind_of(file) in KINDS]
        return sorted(file for file in found if not is_hidden(file.relative_to(path)) and file.is_file())
    if path.exists():
        return [path]
    return sorted(file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file())


def is_hidden(path: Path) -> bool:
    """Say whether a file, or a folder on the way to it, begins with a dot."""
    return any(part.startswith(".") for part in path.parts)


def kind_of(path: Path) -> str:
    """Return the file's ending without that of a packer: `.jsonl` for rows.jsonl.gz."""
    return (path.with_suffix("") if path.suffix in PACKED else path).suffix.lower()


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


def open_raw(path: Path, packed: IO[bytes], max_unpacked_bytes: int) -> IO[bytes]:
    """Return a stream of what a file holds, unpacked where its name ends in .gz or .zst."""
    if path.suffix == ".gz":
        unpacked: Any = gzip.GzipFile(fileobj=packed)
    elif path.suffix == ".zst":
        # Unlike zstandard's own reader, Arrow's tells a truncated file from a whole one.
        unpacked = pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")
    else:
        return packed
    return io.BufferedReader(Bounded(unpacked, max_unpacked_bytes), 1 << 20)
