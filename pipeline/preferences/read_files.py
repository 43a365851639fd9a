"""Read raw files of every kind as chunks of JSON Lines, and recognise their formats."""

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO, cast

import msgspec

from pipeline.preferences.chunk import BrokenFile, Chunk, Place, gather_chunks
from pipeline.preferences.open_raw import kind_of, open_raw
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_lines import ArrayReader, read_line_chunks
from pipeline.preferences.read_mqm import MqmFile, is_mqm
from pipeline.preferences.read_row import recognise_row
from pipeline.preferences.read_tables import read_csv_header, read_csv_rows, read_parquet_rows

MOST_RECOGNISED = 1000  # rows of a file that decide on its format


@dataclass
class RawFile:
    """What was read of one file."""

    path: Path
    before: int  # rows, or lines, in the files before it
    format: str | None = None
    numbered: bool = False  # rows have a number beside their line, or no line
    rows_in: int = 0
    rows_rejected: int = 0  # of MQM
    mqm: MqmFile | None = None
    broken: tuple[Place, Finding] | None = None
    refused_pairs: dict[int, list[Finding]] = field(default_factory=dict)  # of MQM, by position

    @property
    def name(self) -> str:
        """The file's path, as it is written in rejects.jsonl."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


class RawFiles:
    """Reads files one after the other; `files` holds what was read of each."""

    def __init__(
        self, paths: list[Path], format_name: str, options: Options, max_unpacked_bytes: int,
        progress: Callable[[int], object],
    ) -> None:  # fmt: skip
        self.paths = paths
        self.format_name = format_name
        self.options = options
        self.max_unpacked_bytes = max_unpacked_bytes
        self.progress = progress  # is told how many packed bytes were read
        self.files: list[RawFile] = []

    def read(self) -> Iterator[Chunk]:
        """Yield the chunks of all files. A file that breaks off is noted, and the next is read."""
        before = 0
        for path in self.paths:
            file = RawFile(path, before, None if self.format_name == "auto" else self.format_name)
            self.files.append(file)
            last = 0
            try:
                for chunk in self.read_file(file):
                    if file.format is None:
                        file.format = recognise_rows(chunk, self.options)
                    if file.mqm:
                        chunk = replace(chunk, format="swift", numbered=False)
                    file.numbered = chunk.numbered
                    yield replace(chunk, format=chunk.format or file.format, before=before)
                    last = chunk.first - 1 + chunk.data.count(b"\n") + (not chunk.data.endswith(b"\n"))
            except BrokenFile as broken:
                place = Place(file.name, broken.line, None if broken.line else last + 1)
                last += 1
                file.broken = place, Finding("broken-file", "$", broken.problem, broken.column)
            before += max(last, file.mqm.rows_in + 1 if file.mqm else 0)

    def read_file(self, file: RawFile) -> Iterator[Chunk]:
        """Yield the chunks of one file."""
        with file.path.open("rb") as packed:
            position = 0
            for chunk in self.read_kind(file, open_raw(file.path, packed, self.max_unpacked_bytes)):
                yield chunk
                if not packed.closed:  # Arrow closes what it has read to the end
                    self.progress(packed.tell() - position)
                    position = packed.tell()

    def read_kind(self, file: RawFile, stream: IO[bytes]) -> Iterator[Chunk]:
        """Yield the chunks of one file, by its kind."""
        kind = kind_of(file.path)
        if self.format_name == "mqm" and kind != ".tsv":
            raise BrokenFile("MQM annotations are read from .tsv files only", 1)
        if kind == ".parquet":
            return gather_chunks(file.name, read_parquet_rows(stream))
        if kind in (".csv", ".tsv"):
            return self.read_table(file, stream, "\t" if kind == ".tsv" else ",")
        buffered = cast(io.BufferedReader, stream)
        if buffered.peek(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
            return gather_chunks(file.name, ArrayReader(stream).read_rows())
        return read_line_chunks(file.name, stream)

    def read_table(self, file: RawFile, stream: IO[bytes], delimiter: str) -> Iterator[Chunk]:
        """Yield the rows of a table, or the pairs that its MQM annotations make."""
        header, text = read_csv_header(stream, delimiter)
        if self.format_name == "mqm" and not is_mqm(header):
            text.detach()
            raise BrokenFile("these are not the columns of MQM annotations (docs/data.md)", 1)
        if self.format_name in ("auto", "mqm") and delimiter == "\t" and is_mqm(header):
            file.format, file.mqm = "mqm", MqmFile(self.options.min_margin)
            file.mqm.read(header, text)
            return gather_chunks(file.name, file.mqm.pair_rows())
        return gather_chunks(file.name, read_csv_rows(header, text, delimiter))


def recognise_rows(chunk: Chunk, options: Options) -> str | None:
    """Return the format of most of a file's first rows, None if no row has one."""
    found: Counter[str] = Counter()
    for line in islice(io.BytesIO(chunk.data), MOST_RECOGNISED):
        try:
            row = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if name := recognise_row(row, options):
            found[name] += 1
    return max(found, key=found.__getitem__, default=None)
