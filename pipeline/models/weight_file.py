"""Safetensors files, by their headers alone: what tensors a file has, and where; and writing one piece by piece.

A file is the length of its header in 8 bytes, the header, which is JSON, and the tensors' bytes one after the other.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

# Bytes of a number, by its type's name in safetensors: of those that a gpt-oss may have, and some that it may not.
SIZES = {"U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "BF16": 2, "F16": 2, "F32": 4, "I64": 8, "F64": 8}
LARGEST_HEADER = 100_000_000  # bytes; the library's own limit
LENGTH = 8  # bytes of the header's length
METADATA = "__metadata__"
READ_AGAIN = "fetch the model's weights again"


class Kind(NamedTuple):
    """What a tensor is, apart from its numbers."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Return the tensor's bytes."""
        return prod(self.shape) * SIZES[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: its bytes are those from `start`."""

    file: Path
    kind: Kind
    start: int


def read_header(file: Path) -> dict[str, Stored]:
    """Return the tensors of a file, in the order of its header.

    Raises ValueError, in one line, if the file is cut off or its tensors are not side by side.
    """
    header = {name: entry for name, entry in read_json(file).items() if name != METADATA}
    first = end = LENGTH + read_length(file)
    found = {}
    try:
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            if not all(isinstance(size, int) and size >= 0 for size in entry["shape"]):
                raise ValueError
            stored = Stored(file, Kind(str(entry["dtype"]), tuple(entry["shape"])), end)
            end += stored.kind.size
            if entry["data_offsets"] != [stored.start - first, end - first]:
                raise ValueError
            found[name] = stored
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{file}: not the header of a safetensors file; {READ_AGAIN}") from None
    if (size := file.stat().st_size) != end:
        raise ValueError(f"{file}: {size:,} bytes, but its header says {end:,}; {READ_AGAIN}")
    return {name: found[name] for name in header}


def read_length(file: Path) -> int:
    """Return the bytes of a file's header."""
    with file.open("rb") as stream:
        return int.from_bytes(stream.read(LENGTH), "little")


def read_json(file: Path) -> dict[str, Any]:
    """Return a file's header as it is."""
    length = read_length(file)
    if length > min(LARGEST_HEADER, file.stat().st_size - LENGTH):
        raise ValueError(f"{file}: its header goes beyond its end; {READ_AGAIN}")
    with file.open("rb") as stream:
        stream.seek(LENGTH)
        text = stream.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ValueError(f"{file}: not the header of a safetensors file; {READ_AGAIN}")
    return header


def write_weights(file: Path, kinds: Mapping[str, Kind], pieces: Iterable[Any]) -> None:
    """Write a file of tensors of these kinds; `pieces` are their bytes, in the same order, cut anywhere."""
    header: dict[str, Any] = {METADATA: {"format": "pt"}}  # transformers asks for it
    end = 0
    for name, kind in kinds.items():
        header[name] = {"dtype": kind.dtype, "shape": list(kind.shape), "data_offsets": [end, end + kind.size]}
        end += kind.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that numbers begin at a multiple of 8
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(LENGTH, "little") + text)
        for piece in pieces:
            stream.write(piece)


def read_bytes(stored: Stored, at_once: int = 64 << 20) -> Iterator[bytes]:
    """Yield the bytes of a tensor, some at a time."""
    with stored.file.open("rb") as stream:
        stream.seek(stored.start)
        left = stored.kind.size
        while left:
            yield (piece := stream.read(min(left, at_once)))
            left -= len(piece)
