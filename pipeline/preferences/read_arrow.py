"""Read Parquet and Arrow, a row at a time, as JSON."""

import os
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.json import encode

from pipeline.preferences.chunk import TABLE_ROWS, BrokenFile, TableRow
from pipeline.preferences.open_raw import seekable
from pipeline.preferences.problems import Finding
from pipeline.preferences.sniff import ARROW

END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream, since Arrow 0.15


def read_binary_rows(stream: IO[bytes], kind: str) -> Iterator[TableRow]:
    """Yield the rows of a Parquet file, or of Arrow's file or stream format (Feather 2, `save_to_disk`)."""
    batches, name = (parquet_batches, "Parquet") if kind == ".parquet" else (arrow_batches, "Arrow")
    with seekable(stream) as source:
        try:
            for batch in batches(source):
                for row in batch.to_pylist():
                    yield binary_row(row)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            said = str(error).splitlines() or ["it asks for more memory than there is"]
            raise BrokenFile(f"not {name}: {said[0]}") from None


def parquet_batches(stream: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file in pieces."""
    with pq.ParquetFile(stream) as file:
        yield from file.iter_batches(TABLE_ROWS, use_threads=False)


def arrow_batches(stream: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield an Arrow file in pieces. What lies in its buffers is checked first: Arrow itself would trust it."""
    is_file = stream.read(len(ARROW)) == ARROW
    stream.seek(0)
    if is_file:
        reader = pa.ipc.open_file(stream)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        require_end(stream)
        batches = iter(pa.ipc.open_stream(stream))
    for batch in batches:
        batch.validate(full=True)
        if batch.num_rows > 8 * batch.nbytes:  # without columns, or with empty ones, a few bytes claim billions
            raise ValueError(f"{batch.num_rows:,} rows without a value")
        for start in range(0, batch.num_rows, TABLE_ROWS):
            yield batch.slice(start, TABLE_ROWS)


def require_end(stream: IO[bytes]) -> None:
    """Refuse a stream without the mark at its end: between two batches, Arrow would not notice where it was cut."""
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - len(END)))
    if not stream.read().endswith(END):
        raise ValueError("it breaks off before the mark of its end")
    stream.seek(0)


def binary_row(row: dict[str, Any]) -> TableRow:
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
