"""Read raw files of every kind as chunks of JSON Lines, and recognise their formats."""

import io
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO, cast

import msgspec

from pipeline.preferences.chunk import BrokenFile, Chunk, Place, gather_chunks
from pipeline.preferences.explain_row import explain_row
from pipeline.preferences.list_raw import readable_name
from pipeline.preferences.open_raw import kind_of, open_raw, seekable
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_arrow import read_binary_rows
from pipeline.preferences.read_cells import CellReader
from pipeline.preferences.read_json import HEAD_BYTES, read_json_chunks
from pipeline.preferences.read_mqm import MqmFile, is_mqm
from pipeline.preferences.read_rated import RatedFile
from pipeline.preferences.read_row import recognise_row
from pipeline.preferences.read_tables import read_table_rows
from pipeline.preferences.sniff import BINARY_KINDS, refuse_other_content, refuse_pointer

TABLES = {".csv": ",", ".tsv": "\t"}

MOST_RECOGNISED = 1000  # rows of a file that decide on its format


@dataclass
class RawFile:
    """What was read of one file."""

    path: Path
    before: int  # rows, or lines, in the files before it
    format: str | None = None
    header_line: int | None = None  # of a table
    numbered: bool = False  # rows have a number beside their line, or no line
    rows_in: int = 0
    rows_rejected: int = 0  # of MQM
    grouped: MqmFile | RatedFile | None = None  # where pairs are made of several rows
    broken: tuple[Place, Finding] | None = None
    refused_pairs: dict[int, list[Finding]] = field(default_factory=dict)  # of MQM, by position

    @property
    def name(self) -> str:
        """The file's path, as it is written in rejects.jsonl."""
        return readable_name(self.path)


class RawFiles:
    """Reads files one after the other; `files` holds what was read of each."""

    def __init__(
        self, paths: list[Path], format_name: str, options: Options, max_unpacked_bytes: int,
        progress: Callable[[int], object], left: Sequence[Mapping[str, str]] = (),
    ) -> None:  # fmt: skip
        self.paths = paths
        self.format_name = format_name
        self.options = options
        self.max_unpacked_bytes = max_unpacked_bytes
        self.progress = progress  # is told how many packed bytes were read
        self.left = left  # files beside them that are not read, in the form of quality.json
        self.files: list[RawFile] = []

    def read(self) -> Iterator[Chunk]:
        """Yield the chunks of all files. A file that breaks off is noted, and the next is read."""
        before = 0
        for path in self.paths:
            file = RawFile(path, before, None if self.format_name == "auto" else self.format_name)
            self.files.append(file)
            last = 0
            try:
                for chunk in self.read_pairs(file):
                    file.numbered = chunk.numbered
                    yield replace(chunk, format=chunk.format or file.format, before=before)
                    last = chunk.first - 1 + chunk.data.count(b"\n") + (not chunk.data.endswith(b"\n"))
            except BrokenFile as broken:
                place = Place(file.name, broken.line, None if broken.line else last + 1)
                last += 1
                file.broken = place, Finding(broken.code, "$", broken.problem, broken.column)
            before += max(last, file.grouped.last_line if file.grouped else 0)

    def read_pairs(self, file: RawFile) -> Iterator[Chunk]:
        """Yield the chunks of one file, in which a row is a pair; its format is known then."""
        rated = RatedFile(self.options)
        for chunk in self.read_file(file):
            if file.format is None:
                file.format = recognise_rows(chunk, self.options)
            if file.format is None and file.header_line:
                refuse_columns(chunk, file.header_line)
            if file.format == "rated":
                file.grouped = rated
                rated.take(chunk)
            else:
                yield replace(chunk, format="swift", numbered=False) if file.grouped else chunk
        if file.grouped is rated:
            for chunk in gather_chunks(file.name, rated.pair_rows()):
                yield replace(chunk, format="swift", numbered=False)

    def read_file(self, file: RawFile) -> Iterator[Chunk]:
        """Yield the chunks of one file; say at its end if it is not the file any more that it was."""
        with cast(io.BufferedReader, file.path.open("rb", buffering=HEAD_BYTES)) as packed:
            before, position = os.fstat(packed.fileno()), 0
            refuse_pointer(packed.peek(HEAD_BYTES))
            for chunk in self.read_kind(file, open_raw(file.path, packed, self.max_unpacked_bytes)):
                yield chunk
                if not packed.closed and packed.seekable():  # Arrow closes what it has read to the end
                    self.progress(packed.tell() - position)
                    position = packed.tell()
        if stat.S_ISREG(before.st_mode) and (changed := find_change(before, file.path)):
            raise BrokenFile(changed, code="changed-file")

    def read_kind(self, file: RawFile, stream: io.BufferedReader) -> Iterator[Chunk]:
        """Yield the chunks of one file, by its kind."""
        kind = kind_of(file.path)
        refuse_other_content(stream.peek(HEAD_BYTES), kind)
        if self.format_name == "mqm" and kind not in TABLES:
            raise BrokenFile("MQM annotations are read from .tsv and .csv files only", 1)
        if kind in BINARY_KINDS:
            return gather_chunks(file.name, read_binary_rows(stream, kind))
        if kind in TABLES:
            return self.read_table(file, stream, TABLES[kind])
        return read_json_chunks(file.name, stream)

    def read_table(self, file: RawFile, stream: IO[bytes], delimiter: str) -> Iterator[Chunk]:
        """Yield the rows of a table, or the pairs that its MQM annotations make."""
        with seekable(stream) if delimiter == "\t" else nullcontext(stream) as source:
            table = CellReader(source, delimiter)
            file.header_line = table.line
            if self.format_name == "mqm" and not is_mqm(table.header):
                table.text.detach()
                raise BrokenFile("these are not the columns of MQM annotations (docs/data.md)", table.line)
            if self.format_name in ("auto", "mqm") and is_mqm(table.header):
                file.format, file.grouped = "mqm", MqmFile(self.options)
                file.grouped.read(table.header, table.read_rows(or_letters=True))
                yield from gather_chunks(file.name, file.grouped.pair_rows())
            else:
                yield from gather_chunks(file.name, read_table_rows(table))


def find_change(before: os.stat_result, path: Path) -> str | None:
    """Say how a file has changed since it was opened; None if it is as it was."""
    try:
        now = path.stat()
    except OSError:
        return "it is gone since it was opened"
    if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
        return "another file has taken its place since it was opened"
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return f"it changed while it was read ({before.st_size:,} bytes before, {now.st_size:,} after)"
    return None


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


def refuse_columns(chunk: Chunk, line: int) -> None:
    """Refuse a table whose columns no format has: this is a fault of its header, and none of each row."""
    rows = (row for index, row in enumerate(io.BytesIO(chunk.data)) if index not in chunk.problems)
    if first := next(rows, None):
        fault = explain_row(first, None, Options())[0]
        raise BrokenFile(fault.detail, line, code=fault.code)
