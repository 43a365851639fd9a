"""draw_pairs.py, sources.py: several files with limits, which pairs are drawn, and how they are counted."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.files.json_lines import write_json_lines
from pipeline.preferences import draw_pairs
from pipeline.preferences.chunk import Place
from pipeline.preferences.places import iterate_places
from tests.support.conversion import GOLDEN, convert, read_pairs, read_quality, read_rejects


def pair(name: str) -> dict:
    messages = [{"role": "user", "content": f"Question {name}"}, {"role": "assistant", "content": "Yes"}]
    return {"id": name, "messages": messages, "rejected_response": "No"}


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Return a function that converts sources with limits, and returns the ids of the pairs that are drawn."""
    monkeypatch.chdir(tmp_path)

    def convert_sources(limits: dict[str, int | None], rows: int = 20, seed: int = 17) -> list[str]:
        for source in limits:
            if not Path(source).exists():
                write_json_lines(Path(source), [pair(f"{source[0]}{number}") for number in range(rows)])
        raw = [{"file": source, "limit": limit} if limit else source for source, limit in limits.items()]
        assert convert(list(limits), tmp_path / "out", raw=raw, split_seed=seed, on_problem="drop") is None
        return [row["id"] for row in read_pairs(tmp_path / "out")]

    return convert_sources


def test_as_many_are_drawn_as_the_limit_says_and_each_other_one_is_named(draw, tmp_path):
    drawn = draw({"a.jsonl": 5, "b.jsonl": None})
    rejects = read_rejects(tmp_path / "out")
    assert [name[0] for name in drawn] == ["a"] * 5 + ["b"] * 20
    assert {(row["file"], row["code"]) for row in rejects} == {("a.jsonl", "over-limit")}
    named = {f"a{row['line'] - 1}" for row in rejects}
    assert named | set(drawn[:5]) == {f"a{number}" for number in range(20)}


def test_each_source_is_counted_in_the_account(draw, tmp_path):
    draw({"a.jsonl": 5, "b.jsonl": None})
    quality = read_quality(tmp_path / "out")
    assert quality["sources"] == [
        {"source": "a.jsonl", "limit": 5, "rows_in": 20, "pairs": 5},
        {"source": "b.jsonl", "limit": None, "rows_in": 20, "pairs": 20},
    ]
    assert (quality["rows_in"], quality["rows_used"], quality["rows_rejected"]) == (40, 25, 15)


def test_one_file_without_a_limit_is_no_source_of_its_own_in_the_account(draw, tmp_path):
    draw({"a.jsonl": None})
    assert "sources" not in read_quality(tmp_path / "out")


def test_a_limit_that_is_not_reached_draws_all(draw):
    assert draw({"a.jsonl": 20}) == draw({"a.jsonl": 21}) == [f"a{number}" for number in range(20)]


def test_the_choice_depends_on_the_seed_and_the_pair_alone(draw):
    drawn = draw({"a.jsonl": 5})
    assert drawn == draw({"a.jsonl": 5, "b.jsonl": 3})[:5]
    assert drawn != draw({"a.jsonl": 5}, seed=18)


def test_pairs_that_are_added_take_the_places_of_few(draw):
    before = set(draw({"a.jsonl": 10}))
    with Path("a.jsonl").open("a", encoding="utf-8") as rows:
        rows.write(json.dumps(pair("a20")) + "\n")
    assert len(before & set(draw({"a.jsonl": 10}))) >= 9


def test_rows_that_are_rejected_do_not_count(draw, tmp_path):
    rows = [pair("a0"), pair("a1"), pair("a1"), pair("a2") | {"rejected_response": "Yes"}]
    write_json_lines(tmp_path / "a.jsonl", rows)
    assert draw({"a.jsonl": 2}) == ["a0", "a1"]
    assert [row["code"] for row in read_rejects(tmp_path / "out")] == ["duplicate-id", "same-answers"]


def test_a_folder_has_one_limit_for_all_its_files(draw, tmp_path):
    (tmp_path / "more").mkdir()
    for name in "ab":
        write_json_lines(tmp_path / "more" / f"{name}.jsonl", [pair(f"{name}{number}") for number in range(20)])
    drawn = draw({"more": 10})
    assert len(drawn) == 10 and {name[0] for name in drawn} == {"a", "b"}


def test_of_annotations_those_of_pairs_that_are_not_drawn_are_named(draw, tmp_path):
    shutil.copy(GOLDEN / "formats" / "mqm.tsv", tmp_path / "mqm.tsv")
    every = len(draw({"mqm.tsv": None}))
    drawn = draw({"mqm.tsv": 1})
    quality = read_quality(tmp_path / "out")
    assert (len(drawn), quality["pairs"]) == (1, 1) and every > 1
    assert quality["rows_used"] + quality["rows_rejected"] == quality["rows_in"]
    assert quality["codes"]["over-limit"] > 0


@pytest.mark.parametrize("rows", [1, 7])
def test_the_number_of_pairs_that_are_looked_at_together_changes_nothing(draw, monkeypatch, rows):
    usual = draw({"a.jsonl": 5, "b.jsonl": 7})
    monkeypatch.setattr(draw_pairs, "BLOCK_ROWS", rows)
    assert draw({"a.jsonl": 5, "b.jsonl": 7}) == usual


def test_a_file_that_two_sources_name_is_refused(draw, tmp_path):
    write_json_lines(tmp_path / "a.jsonl", [pair("a")])
    said = convert(["a.jsonl", "*.jsonl"], tmp_path / "out", raw=["a.jsonl", "*.jsonl"])
    assert said == "a.jsonl: named twice in data.raw, by a.jsonl and *.jsonl; keep one of them"


def test_a_source_that_is_not_there_is_named(draw, tmp_path):
    write_json_lines(tmp_path / "a.jsonl", [pair("a")])
    said = convert(["a.jsonl", "b.jsonl"], tmp_path / "out", raw=["a.jsonl", "b.jsonl"])
    assert said and said.startswith("b.jsonl: no such file; name a file, a folder")


def test_the_places_are_those_of_the_pairs_that_are_drawn(draw, tmp_path):
    drawn = draw({"a.jsonl": 5, "b.jsonl": 3})
    found = list(iterate_places(tmp_path / "out" / "pairs.jsonl", tmp_path / "out" / "places.jsonl"))
    assert found == [(name, Place(f"{name[0]}.jsonl", int(name[1:]) + 1, None)) for name in drawn]
