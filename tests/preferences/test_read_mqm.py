"""preferences/read_mqm.py: the points of each error, and the faults of lines."""

import json

import pytest

from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_mqm import COLUMNS, MqmFile, Translation, is_mqm, lonely, penalty
from tests.support.conversion import convert, read_quality

HEADER = [*COLUMNS, "seg_id"]


def annotation(target: str, severity: str = "Major", system: str = "A") -> list[str]:
    """Return the cells of a line."""
    return [system, "doc", "rater", "Haus", target, "Style/Awkward", severity, "1"]


def read(*rows: list[str], header: list[str] = HEADER) -> MqmFile:
    """Read annotations below a header."""
    mqm = MqmFile(Options(min_margin=1.0))
    mqm.read(header, enumerate(rows, start=2))
    return mqm


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


@pytest.mark.parametrize(
    ("category", "severity", "points"),
    [
        ("non_translation", "major", 25.0),
        ("Accuracy/Omission", "critical", 5.0),
        ("punctuation", "minor", 0.1),
        ("Source issue", "Major", 0.0),
        ("Source error/-", "Minor", 0.0),
        ("Fluency/Reinterpretation", "Major", 0.0),
        ("", "", 0.0),
    ],
)
def test_the_names_of_later_years_cost_the_same(category, severity, points):
    assert penalty(category, severity) == points


@pytest.mark.parametrize(
    "columns",
    [
        ["docSegId", "globalSegId"],
        ["doc_seg_id", "global_seg_id"],
        ["doc_id", "seg_id"],
        ["seg"],
    ],
)
def test_the_columns_of_every_year_name_a_segment(columns):
    header = [*(name.title() for name in COLUMNS), *columns, "metadata"]
    assert is_mqm(header)
    rows = [annotation("a")[:-1], annotation("b", "Minor", "B")[:-1]]
    mqm = read(*([*row, *"7" * len(columns), "{}"] for row in rows), header=header)
    assert [pair.line for pair in mqm.pair_rows()] == [3]


def test_the_last_cells_may_lack_where_no_error_was_marked():
    header = ["seg_id", *COLUMNS]
    rows = [["1", *annotation("a")[:5]], ["1", *annotation("b", "Minor", "B")[:-1]]]
    (pair,) = read(*rows, header=header).pair_rows()
    assert json.loads(pair.json)["id"] == "doc/1:A>B"


def test_columns_in_another_order_mean_the_same():
    one, two = annotation("a"), annotation("b", "Minor", "B")
    turned = read(one[::-1], two[::-1], header=HEADER[::-1])
    assert list(turned.pair_rows()) == list(read(one, two).pair_rows())


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (annotation("a"), None),
        (annotation("Häuser"), None),
        ([*annotation("a")[:5], "", "", "1"], None),
        (annotation("a")[:7], Finding("wrong-structure", "$", "7 cells, but the header has 8")),
        (annotation("H\udce4user"), Finding("not-utf8")),
        (annotation("a")[:4], Finding("wrong-structure", "$", "4 cells, but the header has 8")),
        ([*annotation("a"), "b"], Finding("wrong-structure", "$", "9 cells, but the header has 8")),
        (annotation(""), Finding("not-paired", "$.target", "empty: there is nothing to compare")),
        (
            annotation("a", "HOTW-test"),
            Finding("not-paired", "$.severity", "a test of the annotator, with an error put in on purpose"),
        ),
        (
            annotation("a", "worst"),
            Finding("wrong-structure", "$.severity", "'worst' is not one of critical, major, minor, neutral, no-error"),
        ),
    ],
)
def test_a_line_that_is_no_annotation_is_named_with_its_fault(cells, fault):
    assert read(cells).refused == ({2: fault} if fault else {})


def test_a_translation_in_no_pair_is_alone_or_as_good_as_the_others():
    one, two = Translation(), Translation()
    assert lonely({"a": one})[:2] == ("not-paired", "$.target")
    assert lonely({"a": one, "b": two})[:2] == ("small-margin", "$.severity")


def test_annotations_that_break_off_are_named_and_counted(tmp_path):
    rows = [annotation("a"), annotation("b", "Minor", "B")]
    (tmp_path / "raw.csv").write_text(
        ",".join(HEADER) + "\n" + "\n".join(map(",".join, rows)) + '\n"', encoding="utf-8"
    )
    message = convert(tmp_path / "raw.csv", tmp_path / "out")
    assert message and message.startswith(f"{tmp_path}/raw.csv:4: not CSV: unexpected end of data")
    assert read_quality(tmp_path / "out")["rows_in"] == 3


def test_a_pair_stands_on_the_first_line_of_its_better_translation(tmp_path):
    rows = [annotation("a" * 200), annotation("b", "Minor", "B")]
    (tmp_path / "raw.tsv").write_text(lines(HEADER, *rows), encoding="utf-8")
    assert convert(tmp_path / "raw.tsv", tmp_path / "out") is None
    assert read_quality(tmp_path / "out")["examples"] == {"length-ratio": [f"{tmp_path}/raw.tsv:3"]}
