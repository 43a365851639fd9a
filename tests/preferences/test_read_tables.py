"""preferences/read_tables.py: what a cell means, and what cannot be read."""

import io

import pytest

from pipeline.preferences.chunk import BrokenFile, TableRow
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_tables import parquet_row, read_cell, read_csv_header, read_csv_rows


def read_csv(data: bytes) -> list[TableRow]:
    """Return the rows of a table with commas."""
    header, text = read_csv_header(io.BytesIO(data), ",")
    return list(read_csv_rows(header, text, ","))


@pytest.mark.parametrize(
    ("key", "cell", "value"),
    [
        ("chosen", '{"from": "gpt", "value": "a"}', {"from": "gpt", "value": "a"}),
        ("chosen", '[{"role": "user", "content": "a"}]', [{"role": "user", "content": "a"}]),
        ("chosen", '{"ok": true}', '{"ok": true}'),
        ("history", '[["a", "b"]]', [["a", "b"]]),
        ("history", "[a", "[a"),
        ("id", "[1]", "[1]"),
    ],
)
def test_a_cell_that_may_hold_a_conversation_is_read_as_one(key, cell, value):
    assert read_cell(key, cell) == value


def test_a_cell_that_is_not_utf8_is_named_with_its_line():
    assert read_csv(b"chosen,rejected\na,b\n\xff,b\n") == [
        TableRow(b'{"chosen":"a","rejected":"b"}', 2),
        TableRow(b"", 3, Finding("not-utf8")),
    ]


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"chosen,rejected,chosen\na,b,c\n", 1, "the column 'chosen' stands twice"),
        (b'chosen,rejected\na,b\nc,"d\n', 3, "not CSV: unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_line(data, line, problem):
    with pytest.raises(BrokenFile) as broken:
        read_csv(data)
    assert (broken.value.line, broken.value.problem) == (line, problem)


def test_a_row_of_parquet_that_is_no_text_or_no_json_is_named():
    assert parquet_row({"a": b"\xff"}) == TableRow(b"", None, Finding("not-utf8"))
    assert parquet_row({"a": 1, "b": None, "c": [b"x"]}) == TableRow(b'{"a":1,"c":["x"]}', None)
    problem = parquet_row({"a": object()}).problem
    assert problem and problem[:2] == ("wrong-structure", "$") and problem.detail.startswith("cannot be JSON: ")
