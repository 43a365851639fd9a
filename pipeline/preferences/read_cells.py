"""Read the cells of CSV and TSV: where the header stands, and whether quotes enclose cells or are letters."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import IO

from pipeline.preferences.chunk import MAX_ROW_BYTES, BrokenFile

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
REMARK = re.compile(r"\s*(#.*|\([^()]*\))$")  # at the end of a name
BARE = re.compile(r"[-+.\deE]*|NA|NaN|NULL|[Tt]rue|TRUE|[Ff]alse|FALSE|null|None")  # what no writer encloses
BLOCK = 1 << 20  # characters read at once in search of a quote
csv.field_size_limit(MAX_ROW_BYTES)
UNNAMED = "Unnamed: 0"  # the name that pandas gives to the numbers of rows, which it writes without one


class CellReader:
    """The rows of a table below its header. `stream` must be seekable where tabs separate the cells."""

    def __init__(self, stream: IO[bytes], delimiter: str) -> None:
        self.text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.delimiter = delimiter
        self.line = 0  # of the header
        try:
            self.header = self.read_header()
        except (csv.Error, BrokenFile) as error:
            self.text.detach()
            if isinstance(error, BrokenFile):
                raise
            raise BrokenFile(f"not CSV: {error}", self.line) from None

    def read_header(self) -> list[str]:
        """Return the names of the columns; blank lines and remarks after a # may stand above them."""
        while line := self.text.readline(MAX_ROW_BYTES):
            self.line += 1
            is_remark = line.startswith("#") and self.delimiter not in line
            is_remark = is_remark or line.strip() == f"sep={self.delimiter}"  # to Excel
            if line.strip() and not is_remark:
                break
        self.line = max(self.line, 1)
        self.encloses_names = line.startswith('"')
        names = next(csv.reader([line.removeprefix("#")], delimiter=self.delimiter), [])
        # `a, b, c`: then each cell has a space before it, which belongs to none.
        self.spaced = len(names) > 1 and all(name.startswith(" ") for name in names[1:])
        header = without_remarks([name.strip() for name in names])
        if problem := find_header_fault(header, line, self.delimiter):
            raise BrokenFile(problem, self.line, code="wrong-header")
        return [UNNAMED, *header[1:]] if header[:1] == [""] else header

    def read_rows(self, or_letters: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Yield the cells of each row with the line that it begins on; rows without any text are passed over.

        Where some quotes enclose a cell and others cannot, this is named as a fault, or all are letters.
        """
        try:
            is_quoted = self.delimiter != "\t" or self.find_quoting(or_letters)
            line = self.line + 1
            rows = self.read_quoted() if is_quoted else self.read_letters()
            for end, cells in rows:
                if any(cells):
                    yield line, cells
                line = self.line + end + 1
        finally:
            self.text.detach()

    def read_quoted(self) -> Iterator[tuple[int, list[str]]]:
        """Yield rows in which quotes enclose cells, each with the number of lines so far."""
        rows = csv.reader(self.text, delimiter=self.delimiter, strict=True, skipinitialspace=self.spaced)
        line = self.line + 1
        try:
            for cells in rows:
                yield rows.line_num, cells
                line = self.line + rows.line_num + 1
        except csv.Error as error:
            raise BrokenFile(f"not CSV: {error}", line) from None

    def read_letters(self) -> Iterator[tuple[int, list[str]]]:
        """Yield rows in which quotes are letters, but in cells that a writer of CSV has enclosed."""
        for number, line in enumerate(self.text, start=1):
            cells = line.rstrip("\r\n").split(self.delimiter)
            yield number, [unescape(cell) if '""' in cell else cell for cell in cells]

    def find_quoting(self, or_letters: bool) -> bool:
        """Say whether quotes enclose cells, as read_rows says."""
        start = self.text.tell()
        has_quotes = any('"' in block for block in iter(lambda: self.text.read(BLOCK), ""))
        self.text.seek(start)
        try:
            return has_quotes and (self.encloses_names or quotes_enclose(self.text))
        except csv.Error:
            self.text.seek(start)
            return not or_letters and has_enclosed(self.text, len(self.header))
        finally:
            self.text.seek(start)


def without_remarks(names: list[str]) -> list[str]:
    """Return names without remarks in them, as in `chosen (the better one)`, unless two would be the same then."""
    bare = [REMARK.sub("", name) or name for name in names]
    return bare if len(set(bare)) == len(names) else names


def find_header_fault(header: Sequence[str], line: str, delimiter: str) -> str | None:
    """Return the fault of the line that should name the columns."""
    if twice := sorted({name for name in header if header.count(name) > 1 and name}):
        return f"the column {twice[0]!r} stands twice"
    if any("\udc80" <= letter <= "\udcff" for letter in line):
        return "the bytes are not UTF-8; save the file as UTF-8"
    if line.count(found := max(SEPARATORS, key=line.count)) > line.count(delimiter):
        return f"{SEPARATORS[found]} separate the columns, and not {SEPARATORS[delimiter]}"
    if len(header) == 1:
        return f"one column only: {header[0][:60]!r}; begin a remark above it with #"
    if len(header) > 2 and header[0] and not any(header[1:]):
        return f"columns without a name, beside {header[0][:60]!r}; begin a remark above it with #"
    return None


def quotes_enclose(text: IO[str]) -> bool:
    """Say whether quotes enclose cells in a table with tabs; raise csv.Error where they cannot always.

    Tools of annotators write quotes as letters. A writer of CSV encloses every cell, or those with a quote in
    them, and a line break in a cell stands between quotes alone.
    """
    raw: list[str] = []

    def remember() -> Iterator[str]:
        for line in text:
            raw.append(line)
            yield line

    letters = False
    for cells in csv.reader(remember(), delimiter="\t", strict=True):
        if any("\t" in cell for cell in cells):
            raise csv.Error("a tab in a cell")
        if len(raw) > 1:
            return True
        letters = letters or ('"' in raw[0] and are_letters(raw[0].rstrip("\r\n").split("\t")))
        raw.clear()
    return not letters


def are_letters(cells: Sequence[str]) -> bool:
    """Say whether the quotes of a line are letters: a writer of CSV would not have written them so."""
    if any('"' in cell and not cell.startswith('"') for cell in cells):
        return True
    if all(cell.startswith('"') or BARE.fullmatch(cell) for cell in cells):
        return False
    return any(cell.startswith('"') and not re.search('""|[,;]', cell[1:-1]) for cell in cells)


def has_enclosed(text: IO[str], width: int) -> bool:
    """Say whether some cells are enclosed all the same: with a doubled quote, or over lines."""
    for line in text:
        cells = line.rstrip("\r\n").split("\t")
        if any(unescape(cell) != cell for cell in cells) or (len(cells) < width and line.count('"') % 2):
            return True
    return False


def unescape(cell: str) -> str:
    """Return the text of a cell that is enclosed in quotes, with a doubled one inside; of others as it is."""
    inner = cell[1:-1]
    if len(cell) > 3 and cell[0] == cell[-1] == '"' and '""' in inner and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell
