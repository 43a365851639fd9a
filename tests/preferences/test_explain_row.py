"""preferences/explain_row.py: which fault a line has."""

import pytest

from pipeline.preferences.chunk import MAX_ROW_BYTES
from pipeline.preferences.explain_row import explain_row
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding
from pipeline.preferences.strict_json import shorten

PAIR = b'{"messages": [{"role": "user", "content": "?"}], "rejected_response": "b"}'


@pytest.mark.parametrize(
    ("line", "format_name", "finding"),
    [
        (b"x" * (MAX_ROW_BYTES + 1), "swift", Finding("too-large")),
        (b"[1]", None, Finding("unknown-format", "$", "not an object but list")),
        (b'{"a": 1, "b": 2}', None, Finding("unknown-format", "$", "its keys: a, b")),
        (PAIR, "swift", Finding("wrong-structure", "$", "the reader refused it")),
    ],
    ids=["too large", "a list", "other keys", "refused by the reader alone"],
)
def test_a_line_is_named_with_its_fault(line, format_name, finding):
    assert explain_row(line, format_name, Options(), ValueError("the reader refused it")) == [finding]


def test_a_number_of_thousands_of_digits_is_no_json():
    (found,) = explain_row(b"9" * 5000, "swift", Options())
    assert found[:2] == ("not-json", "$") and "4300 digits" in found.detail


def test_a_long_text_loses_its_middle():
    beginning, end = "a" * 100, "b" * 100
    assert shorten(beginning + end) == beginning + end
    assert shorten(f"{beginning}x{end}") == f"{beginning} … {end}"
