"""Read CSV and TSV, a row at a time, as JSON. What a cell means is told from its key (preferences/prepare_row.py)."""

from collections.abc import Iterator

from msgspec.json import encode

from pipeline.preferences.chunk import TableRow
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_cells import CellReader


def read_table_rows(table: CellReader) -> Iterator[TableRow]:
    """Yield the rows of a CSV or TSV file with the line that each begins on."""
    for line, cells in table.read_rows():
        yield csv_row(table.header, cells, line, may_lack=table.delimiter == "\t")


def csv_row(header: list[str], cells: list[str], line: int, may_lack: bool = False) -> TableRow:
    """Return one row as JSON. The last cells `may_lack`, as tools leave out empty ones at the end."""
    if len(cells) > len(header) or (len(cells) < len(header) and not may_lack):
        problem = Finding("wrong-structure", "$", f"{len(cells)} cells, but the header has {len(header)}")
        return TableRow(b"", line, problem)
    try:
        return TableRow(encode(dict(zip(header, cells, strict=False))), line)  # what lacks has no key
    except UnicodeEncodeError:
        return TableRow(b"", line, Finding("not-utf8"))
