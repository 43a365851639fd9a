"""preferences/read_arrow.py: Parquet and Arrow, in both of its formats, as JSON."""

import io
import json

import pyarrow as pa
import pyarrow.feather
import pytest

from pipeline.preferences.chunk import BrokenFile, TableRow
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_arrow import binary_row, read_binary_rows
from tests.fuzz.seeds import write_arrow

ROWS = [{"prompt": f"{number}?", "chosen": "Yes", "rejected": None} for number in range(5)]


def read(data: bytes) -> list[dict]:
    return [json.loads(row.json) for row in read_binary_rows(io.BytesIO(data), ".arrow")]


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "stream"])
def test_both_formats_of_arrow_are_read_in_all_their_batches(as_file):
    assert read(write_arrow(ROWS, as_file, batch_rows=2)) == [
        {"prompt": f"{number}?", "chosen": "Yes"} for number in range(5)
    ]


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_is_arrow(compression):
    buffer = io.BytesIO()
    pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), buffer, compression=compression)
    assert len(read(buffer.getvalue())) == 5


def is_read(data: bytes) -> bool:
    try:
        read(data)
    except BrokenFile as broken:
        assert broken.problem.startswith("not Arrow: ")
        return False
    return True


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "stream"])
def test_arrow_that_is_cut_anywhere_is_named(as_file):
    data = write_arrow(ROWS, as_file, batch_rows=2)
    assert [cut for cut in range(len(data)) if is_read(data[:cut])] == []


def test_rows_without_any_value_are_refused_and_not_counted_one_by_one():
    with pytest.raises(BrokenFile, match=r"^not Arrow: 1,000 rows without a value$"):
        read(write_arrow([{"prompt": None, "chosen": None}] * 1000, as_file=True))


def test_a_row_that_is_no_text_or_no_json_is_named():
    assert binary_row({"a": b"\xff"}) == TableRow(b"", None, Finding("not-utf8"))
    assert binary_row({"a": 1, "b": None, "c": [b"x"]}) == TableRow(b'{"a":1,"c":["x"]}', None)
    problem = binary_row({"a": object()}).problem
    assert problem and problem[:2] == ("wrong-structure", "$") and problem.detail.startswith("cannot be JSON: ")
