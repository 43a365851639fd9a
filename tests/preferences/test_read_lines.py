"""preferences/read_lines.py: lines above the limit are named, and so is the place where an array breaks off."""

import io

import pytest

from pipeline.preferences import read_lines
from pipeline.preferences.chunk import BrokenFile
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_lines import JsonReader, read_line_chunks


@pytest.fixture
def small(monkeypatch) -> None:
    """Set small limits: 8 bytes at a time, and 20 in a row."""
    monkeypatch.setattr(read_lines, "CHUNK_BYTES", 8)
    monkeypatch.setattr(read_lines, "MAX_ROW_BYTES", 20)


@pytest.mark.parametrize("long", [40, 57, 200])
def test_a_line_above_the_limit_is_named_and_the_next_one_is_read(small, long):
    chunks = list(read_line_chunks("raw", io.BytesIO(b"a\nb\n" + b"x" * long + b"\nc\nd")))
    assert [(chunk.first, chunk.data, chunk.problems) for chunk in chunks] == [
        (1, b"a\nb\n", {}),
        (3, b"\n", {0: Finding("too-large")}),
        (4, b"c\nd", {}),
    ]


def test_a_last_line_above_the_limit_is_named(small):
    *_, last = read_line_chunks("raw", io.BytesIO(b"a\n" + b"x" * 40))
    assert (last.first, last.data, last.problems) == (2, b"\n", {0: Finding("too-large")})


def read_array(data: bytes) -> list[tuple[bytes, int | None]]:
    """Return the elements of an array, and their lines."""
    return [(row.json, row.line) for row in JsonReader(io.BytesIO(data), "a JSON array").read_array()]


def test_the_elements_of_an_array_stand_on_their_lines_however_little_is_read_at_once(small):
    data = b'\xef\xbb\xbf[{"a": 1},\n\n  {"b":\n 2}, 12345678, "\xc3\xa4\xff"\n]\n'
    elements = [(b'{"a": 1}', 1), (b'{"b":  2}', 3), (b"12345678", 4), (b'"\xc3\xa4\xff"', 4)]
    assert read_array(data) == elements


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'[{"a": 1} {}]', (1, 11, "expected , or ]")),
        (b'[{"a": 1},\n {"b"\n: x}]', (3, 3, "Expecting value")),
        (b"[1, 2]\n\n 3", (3, 2, "more text after the end of the array")),
        (b"[1,\n 2", (2, 3, "expected , or ]")),
        (b"1]", (1, 1, "expected [")),
    ],
)
@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_a_broken_array_is_named_with_line_and_column(data, place, at_once, monkeypatch):
    monkeypatch.setattr(read_lines, "CHUNK_BYTES", at_once)
    with pytest.raises(BrokenFile) as broken:
        read_array(data)
    line, column, problem = place
    found = broken.value.line, broken.value.column, broken.value.problem
    assert found == (line, column, f"not a JSON array: {problem}")
