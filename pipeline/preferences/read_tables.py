"""Read CSV and TSV, a row at a time, as JSON."""

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec.json import encode

from pipeline.preferences.chunk import TableRow
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_cells import CellReader

# Cells of these columns may hold JSON, and of these a text or a conversation.
ANSWERS = ("prompt", "chosen", "rejected")
NESTED = ("messages", "rejected_messages", "conversations", "completions", "history", *ANSWERS)
# An empty cell of these columns means that there is no value; of others, an empty text.
OPTIONAL = ("id", "tag", "system", "input", "history", "prompt", "rejected_messages")
# How Python, or numpy, prints a conversation.
REPR = re.compile(r"(array\()?\[?\s*\{'(role|content|from|value)': ")


def read_table_rows(table: CellReader) -> Iterator[TableRow]:
    """Yield the rows of a CSV or TSV file with the line that each begins on."""
    for line, cells in table.read_rows():
        yield csv_row(table.header, cells, line, may_lack=table.delimiter == "\t")


def csv_row(header: list[str], cells: list[str], line: int, may_lack: bool = False) -> TableRow:
    """Return one row as JSON. The last cells `may_lack`, as tools leave out empty ones at the end."""
    if len(cells) > len(header) or (len(cells) < len(header) and not may_lack):
        problem = Finding("wrong-structure", "$", f"{len(cells)} cells, but the header has {len(header)}")
        return TableRow(b"", line, problem)
    pairs = zip(header, cells, strict=False)  # what lacks has no key
    row = {key: read_cell(key, cell) for key, cell in pairs if cell or key not in OPTIONAL}
    if printed := next((key for key in row if key in NESTED and is_repr(row[key])), None):
        said = "printed by Python, with single quotes: write such a cell with json.dumps"
        return TableRow(b"", line, Finding("wrong-structure", f"$.{printed}", said))
    try:
        return TableRow(encode(row), line)
    except UnicodeEncodeError:
        return TableRow(b"", line, Finding("not-utf8"))


def read_cell(key: str, cell: str) -> Any:
    """Return the value of a cell: its text, or in a nested column the list or object that the text encodes."""
    if key in NESTED and cell[:1] in ("[", "{"):
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            return cell
        if key not in ANSWERS or is_conversation(value):
            return value
    return cell


def is_conversation(value: Any) -> bool:
    """Say whether a value is a message or a list of messages; other JSON may be an answer, and stays text."""
    messages = value if isinstance(value, list) else [value]
    return bool(messages) and all(isinstance(item, dict) and {"role", "from"} & set(item) for item in messages)


def is_repr(value: Any) -> bool:
    """Say whether a text is a conversation as Python prints it."""
    return isinstance(value, str) and REPR.match(value) is not None
