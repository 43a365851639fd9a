"""preferences/read_json.py: lines, arrays, and objects over many lines, each told from the others."""

import io
import json

import pytest

from pipeline.preferences.chunk import BrokenFile, Chunk
from pipeline.preferences.read_json import read_json_chunks, spans_lines

ROWS = [
    {"prompt": "Name a tree.", "chosen": "An oak.", "rejected": "A oak."},
    {"prompt": "Bird?", "chosen": [{"a": 1}]},
]
TUTORIAL = b"""{"messages": [{"role": "user", "content": "Name a tree."},
              {"role": "assistant", "content": "An oak."}],
 "rejected_response": "A oak."}
"""


def read(data: bytes) -> list[Chunk]:
    return list(read_json_chunks("raw.json", io.BufferedReader(io.BytesIO(data), 1 << 20)))


def values(data: bytes) -> list[object]:
    return [json.loads(line) for chunk in read(data) for line in chunk.data.splitlines() if line.strip()]


@pytest.mark.parametrize("indent", [1, 2, 4, "\t"])
@pytest.mark.parametrize("between", ["", "\n", "\n\n", "\r\n"])
def test_objects_over_many_lines_are_read_one_after_another(indent, between):
    data = between.join(json.dumps(row, indent=indent) for row in ROWS).encode()
    assert values(data) == ROWS


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("count", [1, 2])
def test_an_object_as_the_tutorial_prints_it_is_a_row(count, bom):
    assert len(values(bom + TUTORIAL * count)) == count


def test_such_rows_have_the_line_that_each_begins_on():
    (chunk,) = read(b"\n" + TUTORIAL * 2)
    assert (chunk.lines, chunk.numbered) == ([2, 5], True)


def test_json_lines_are_read_as_lines():
    (chunk,) = read(b'{"a": 1}\n{"b": 2}\n')
    assert (chunk.data, chunk.numbered) == (b'{"a": 1}\n{"b": 2}\n', False)


@pytest.mark.parametrize(
    "broken",
    [b'{"messages": [', b'{"prompt": "a",', b"{", b'{"a": {"b": 1}', b'{"prompt": "a', b"{'a': 1}", b"?", b'{"a": 1}}'],
)
@pytest.mark.parametrize("first", [True, False])
def test_one_broken_row_among_json_lines_leaves_the_others_lines(broken, first):
    good = b'{"messages": [{"role": "user", "content": "?"}], "rejected_response": "b"}'
    lines = [broken, good, good] if first else [good, broken, good]
    (chunk,) = read(b"\n".join(lines))
    assert (chunk.data.count(good), chunk.numbered) == (2, False)


def test_a_line_that_breaks_off_alone_is_a_line():
    assert not spans_lines(b'{"messages": [\n')


def test_an_object_over_many_lines_that_breaks_off_is_named_with_its_place():
    with pytest.raises(BrokenFile) as broken:
        values(TUTORIAL + b'{\n "prompt": "a",\n')
    assert (broken.value.line, broken.value.code) == (6, "broken-file")
    assert broken.value.problem.startswith("not JSON objects one after another: ")


def test_an_array_is_read_element_by_element():
    assert values(json.dumps(ROWS, indent=2).encode()) == ROWS
