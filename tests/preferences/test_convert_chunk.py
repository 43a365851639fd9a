"""preferences/convert_chunk.py: what it counts, and the limit of a row."""

import json

import pytest

from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import convert_chunk
from pipeline.preferences.options import Options


def row(chosen: str, rejected: str) -> bytes:
    """Return a line in TRL's format."""
    return json.dumps({"prompt": "?", "chosen": chosen, "rejected": rejected}).encode() + b"\n"


def test_answers_of_one_length_count_for_neither_side():
    rows = row("long", "no") + row("no", "long") + row("yes", "long") + row("one", "two")
    assert convert_chunk(Chunk("raw.jsonl", "trl", rows, 1), Options()).longer == (1, 2)


@pytest.mark.parametrize(("above", "rejected"), [(0, []), (1, [1])])
def test_a_row_may_be_as_large_as_the_limit(above, rejected, monkeypatch):
    line = row("a", "b")
    monkeypatch.setattr("pipeline.preferences.convert_chunk.MAX_ROW_BYTES", len(line) - above)
    converted = convert_chunk(Chunk("raw.jsonl", "trl", line, 1), Options())
    assert [number for number, *_ in converted.rejected] == rejected


@pytest.mark.parametrize("key", ["mood\\", "mood\\\\", 'mood"', "mood", ""])
def test_a_key_of_any_characters_is_seen_beside_those_of_a_pair(key):
    pair = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}]}
    line = json.dumps(pair | {"rejected_response": "b", key: "lost"}).encode() + b"\n"
    ((_, (finding,), _),) = convert_chunk(Chunk("raw.jsonl", "swift", line, 1), Options()).rejected
    assert (finding.code, finding.path) == ("unknown-key", f"$.{key}")


def test_a_key_that_ends_with_a_backslash_may_not_stand_twice():
    line = rb'{"prompt": "?", "chosen": "a", "rejected": "b", "x\\": 1, "x\\": 2}'
    options = Options(ignore=frozenset({"x*"}))
    ((_, (finding,), _),) = convert_chunk(Chunk("raw.jsonl", "trl", line, 1), options).rejected
    assert finding.code == "duplicate-key"
