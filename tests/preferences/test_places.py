"""preferences/places.py: each pair of a conversion is found in the raw files."""

import json
from pathlib import Path

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.preferences import places
from tests.support.conversion import convert


def row(name: str, chosen: str = "Save") -> str:
    messages = [{"role": "user", "content": f"保存 {name}"}, {"role": "assistant", "content": chosen}]
    return json.dumps({"id": name, "messages": messages, "rejected_response": "Please save!"})


@pytest.fixture
def places_in(tmp_path, monkeypatch):
    """Return a function that converts files, by name, and returns the place of each pair by its id."""
    monkeypatch.chdir(tmp_path)

    def find(**files: str) -> dict[str, str]:
        Path("raw").mkdir()
        for name, text in files.items():
            Path("raw", name.replace("_", ".")).write_text(text, encoding="utf-8")
        assert convert("raw", Path("out"), on_problem="drop") is None
        found = places.iterate_places(Path("out/pairs.jsonl"), Path("out/places.jsonl"))
        return {name: str(place) for name, place in found}

    return find


@pytest.mark.parametrize("block_rows", [1, 2, 3, 1 << 18])
def test_a_pair_has_its_own_line_after_blank_rejected_and_repeated_rows(places_in, monkeypatch, block_rows):
    monkeypatch.setattr(places, "BLOCK_ROWS", block_rows)
    lines = [row("a"), "", row("b"), row("c", " "), "?", row("d"), row("a"), row("e"), row("f")]
    found = places_in(one_jsonl="\n".join(lines), two_jsonl="\n".join([row("g"), row("b"), row("h")]))
    of_one = {name: f"raw/one.jsonl:{line}" for name, line in {"a": 1, "b": 3, "d": 6, "e": 8, "f": 9}.items()}
    assert found == of_one | {"g": "raw/two.jsonl:1", "h": "raw/two.jsonl:3"}


def test_a_pair_of_an_array_has_its_line_and_its_row(places_in):
    found = places_in(one_json=f"[\n{row('a')},\n\n{row('b')},{row('c')}]")
    assert found == {"a": "raw/one.json:2 (row 1)", "b": "raw/one.json:4 (row 2)", "c": "raw/one.json:4 (row 3)"}


def test_a_pair_of_a_table_has_its_line_and_its_row(places_in):
    found = places_in(one_csv='id,prompt,chosen,rejected\na,?,"Save\nit",No\nb,??,Save,No\n')
    assert found == {"a": "raw/one.csv:2 (row 1)", "b": "raw/one.csv:4 (row 2)"}


def test_rows_that_follow_one_another_are_one_line_of_the_file(places_in):
    places_in(one_jsonl="\n".join(map(row, "abcdef")))
    assert read_json_lines(Path("out/places.jsonl")) == [{"pair": 1, "file": "raw/one.jsonl", "line": 1}]


def test_a_conversion_that_stops_leaves_no_places(tmp_path):
    (tmp_path / "raw.jsonl").write_text(row("a"), encoding="utf-8")
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    (tmp_path / "raw.jsonl").write_text("?", encoding="utf-8")
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"rejects.jsonl", "quality.json"}
