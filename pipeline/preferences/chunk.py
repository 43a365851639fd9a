"""Some consecutive rows of a raw file as JSON Lines, and where they stand in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.preferences.problems import Finding

CHUNK_BYTES = 1 << 21
MAX_ROW_BYTES = 16 << 20
TABLE_ROWS = 2000  # rows of a table in one chunk


class Place(NamedTuple):
    """Where a row stands: its file, its line there, and its number where lines are not rows."""

    file: str
    line: int | None
    row: int | None

    def __str__(self) -> str:
        """Return `file:12`, `file:12 (row 3)` or `file: row 3`."""
        if self.line is None:
            return f"{self.file}: row {self.row}"
        return f"{self.file}:{self.line}" + (f" (row {self.row})" if self.row is not None else "")


@dataclass(frozen=True)
class Chunk:
    """Rows as JSON Lines. Blank lines are skipped; `problems` are rows that the reader could not turn into JSON."""

    file: str
    format: str | None  # None where no format is known that the file has
    data: bytes
    first: int  # number of the first row in its file, from 1; in JSON Lines, its line
    before: int = 0  # rows, or lines, in the files before this one
    lines: Sequence[int] | None = None  # the line of each row, where rows are not lines
    numbered: bool = False  # rows have a number beside their line, or have no line
    made: bool = False  # each row was made of several, and has the names of ms-swift's format
    problems: Mapping[int, Finding] = field(default_factory=dict)

    def place(self, index: int) -> Place:
        """Return where the row at this index of the chunk stands."""
        number = self.first + index
        line = self.lines[index] if self.lines else None if self.numbered else number
        return Place(self.file, line, number if self.numbered else None)

    def number(self, index: int) -> int:
        """Return the number of a row among the rows of all files, from 1."""
        return self.before + self.first + index


class BrokenFile(Exception):
    """A file that cannot be read beyond some place, and the message about it, under a code that ends a file."""

    def __init__(
        self, problem: str, line: int | None = None, column: int | None = None, code: str = "broken-file"
    ) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.line = line
        self.column = column


class TableRow(NamedTuple):
    """A row of a table or an array: a line of JSON, where it stands, and what is wrong with it if there is no JSON."""

    json: bytes
    line: int | None
    problem: Finding | None = None


def gather_chunks(file: str, rows: Iterator[TableRow]) -> Iterator[Chunk]:
    """Yield chunks of at most TABLE_ROWS rows and about CHUNK_BYTES."""
    first = 1
    for batch, broken in gather_batches(rows):
        if batch:
            yield table_chunk(file, batch, first)
        if broken:
            raise broken
        first += len(batch)


def gather_batches(rows: Iterator[TableRow]) -> Iterator[tuple[list[TableRow], BrokenFile | None]]:
    """Yield batches of rows; the last one comes with the error that ended the file, if there was one."""
    batch: list[TableRow] = []
    size = 0
    try:
        for row in rows:
            batch.append(row)
            size += len(row.json)
            if len(batch) == TABLE_ROWS or size > CHUNK_BYTES:
                yield batch, None
                batch, size = [], 0
    except BrokenFile as broken:
        yield batch, broken
    else:
        yield batch, None


def table_chunk(file: str, rows: Sequence[TableRow], first: int) -> Chunk:
    """Return rows of a table as a chunk."""
    lines = [row.line for row in rows if row.line is not None]
    problems = {index: row.problem for index, row in enumerate(rows) if row.problem}
    data = b"\n".join(row.json for row in rows)
    return Chunk(file, None, data, first, lines=lines or None, numbered=True, problems=problems)
