"""Read CSV, TSV and Parquet, a row at a time, as JSON."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.json import encode

from pipeline.preferences.chunk import MAX_ROW_BYTES, TABLE_ROWS, BrokenFile, TableRow
from pipeline.preferences.problems import Finding

# Cells of these columns may hold JSON, and of these a text or a conversation.
ANSWERS = ("prompt", "chosen", "rejected")
NESTED = ("messages", "rejected_messages", "conversations", "completions", "history", *ANSWERS)
# An empty cell of these columns means that there is no value; of others, an empty text.
OPTIONAL = ("id", "tag", "system", "input", "history", "prompt", "rejected_messages")


def read_csv_header(stream: IO[bytes], delimiter: str) -> tuple[list[str], io.TextIOWrapper]:
    """Return the names of the columns, and the text below them. A header is one line."""
    csv.field_size_limit(MAX_ROW_BYTES)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        header = next(csv.reader([text.readline(MAX_ROW_BYTES)], delimiter=delimiter), [])
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise BrokenFile(f"the column {twice[0]!r} stands twice", 1)
    except (csv.Error, BrokenFile) as error:
        text.detach()
        raise error if isinstance(error, BrokenFile) else BrokenFile(f"not CSV: {error}", 1) from None
    return header, text


def read_csv_rows(header: list[str], text: io.TextIOWrapper, delimiter: str) -> Iterator[TableRow]:
    """Yield the rows of a CSV or TSV file with the line that each begins on."""
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    line = 2
    try:
        for cells in rows:
            if cells:
                yield csv_row(header, cells, line)
            line = rows.line_num + 2
    except csv.Error as error:
        raise BrokenFile(f"not CSV: {error}", line) from None
    finally:
        text.detach()


def csv_row(header: list[str], cells: list[str], line: int) -> TableRow:
    """Return one row as JSON."""
    if len(cells) != len(header):
        problem = Finding("wrong-structure", "$", f"{len(cells)} cells, but the header has {len(header)}")
        return TableRow(b"", line, problem)
    row = {key: read_cell(key, cell) for key, cell in zip(header, cells, strict=True) if cell or key not in OPTIONAL}
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


def read_parquet_rows(stream: IO[bytes]) -> Iterator[TableRow]:
    """Yield the rows of a Parquet file."""
    with TemporaryFile() as seekable:
        if not stream.seekable():
            shutil.copyfileobj(stream, seekable)
            stream = seekable
        try:
            with pq.ParquetFile(stream) as file:
                for batch in file.iter_batches(TABLE_ROWS, use_threads=False):
                    for row in batch.to_pylist():
                        yield parquet_row(row)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BrokenFile(f"not Parquet: {str(error).splitlines()[0]}") from None


def parquet_row(row: dict[str, Any]) -> TableRow:
    """Return one row as JSON, without the nulls that a table puts where a row has no value."""
    try:
        return TableRow(encode(as_json(row)), None)
    except UnicodeError:
        return TableRow(b"", None, Finding("not-utf8"))
    except (TypeError, ValueError, RecursionError) as error:
        return TableRow(b"", None, Finding("wrong-structure", "$", f"cannot be JSON: {error}"))


def as_json(value: Any) -> Any:
    """Return a value without the keys whose value is null, at any depth; bytes are text."""
    if isinstance(value, dict):
        return {key: as_json(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [as_json(child) for child in value]
    return value.decode() if isinstance(value, bytes) else value
