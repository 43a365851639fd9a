"""preferences/read_mqm.py: the points of each error, and the faults of lines."""

import io

import pytest

from pipeline.preferences.problems import Finding
from pipeline.preferences.read_mqm import COLUMNS, MqmFile, Translation, find_fault, is_mqm, lonely, penalty
from tests.support.conversion import convert, read_quality

HEADER = [*COLUMNS, "seg_id"]


def annotation(target: str, severity: str = "Major", system: str = "A") -> list[str]:
    """Return the cells of a line."""
    return [system, "doc", "rater", "Haus", target, "Style/Awkward", severity, "1"]


def lines(*rows: list[str]) -> str:
    """Return a table below its header."""
    return "".join("\t".join(row) + "\n" for row in rows)


@pytest.mark.parametrize("name", [*COLUMNS, "seg_id"])
def test_a_table_without_one_of_the_columns_is_no_mqm(name):
    assert is_mqm(HEADER)
    assert not is_mqm([column for column in HEADER if column != name])


@pytest.mark.parametrize(
    ("category", "severity", "points"),
    [
        ("Non-translation!", "Minor", 25.0),
        ("Accuracy/Omission", "Major", 5.0),
        ("Accuracy/Omission", "Minor", 1.0),
        ("Fluency/Punctuation", "Minor", 0.1),
        ("Fluency/Punctuation", "Major", 5.0),
        ("Accuracy/Omission", "Neutral", 0.0),
        ("no-error", "no-error", 0.0),
    ],
)
def test_an_error_costs_what_google_counts_for_it(category, severity, points):
    assert penalty(category, severity) == points


def test_lines_after_a_blank_one_are_read():
    mqm = MqmFile(1.0)
    mqm.read(HEADER, io.TextIOWrapper(io.BytesIO(lines(annotation("a"), [""], annotation("b")).encode())))
    assert mqm.rows_in == 2
    assert [translation.lines for translation in mqm.segments["doc", "1"].values()] == [[2], [4]]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (annotation("a"), None),
        (annotation("Häuser"), None),
        (annotation("H\udce4user"), Finding("not-utf8")),
        (annotation("a")[1:], Finding("wrong-structure", "$", "7 cells, but the header has 8")),
        (
            annotation("a", "worst"),
            Finding("wrong-structure", "$.severity", "'worst' is not one of major, minor, neutral, no-error"),
        ),
    ],
)
def test_a_line_that_is_no_annotation_is_named_with_its_fault(cells, fault):
    assert find_fault(HEADER, cells) == fault


def test_a_translation_in_no_pair_is_alone_or_as_good_as_the_others():
    one, two = Translation(), Translation()
    assert lonely({"a": one})[:2] == ("not-paired", "$.target")
    assert lonely({"a": one, "b": two})[:2] == ("small-margin", "$.severity")


def test_a_pair_stands_on_the_first_line_of_its_better_translation(tmp_path):
    rows = [annotation("a" * 200), annotation("b", "Minor", "B")]
    (tmp_path / "raw.tsv").write_text(lines(HEADER, *rows), encoding="utf-8")
    assert convert(tmp_path / "raw.tsv", tmp_path / "out") is None
    assert read_quality(tmp_path / "out")["examples"] == {"length-ratio": [f"{tmp_path}/raw.tsv:3"]}
