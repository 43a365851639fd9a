"""preferences/wrapped_rows.py: a file whose rows lie in one object is named once, with a command that unwraps it."""

import json
import re
import subprocess
import sys

import pytest

from pipeline.preferences.chunk import BrokenFile
from pipeline.preferences.wrapped_rows import refuse_wrapped_rows
from tests.fuzz.seeds import ROWS

PAIRS = [{"prompt": f"{number}?", "chosen": "Yes", "rejected": "No"} for number in range(2)]
TALKS = [{"chosen": ROWS["trl-messages"]["chosen"], "rejected": ROWS["trl-messages"]["rejected"]}] * 2


def refusal(value: object, indent: int | None = None) -> str:
    with pytest.raises(BrokenFile) as broken:
        refuse_wrapped_rows(json.dumps(value, indent=indent).encode(), "my rows.json")
    assert (broken.value.line, broken.value.code) == (1, "wrapped-rows")
    return broken.value.problem


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("value", "filter_of_jq"),
    [
        ({"data": PAIRS}, ".data[]"),
        ({"version": "1", "pairs": PAIRS}, ".pairs[]"),
        ({"first": PAIRS[0], "second": PAIRS[1]}, ".[]"),
        ({"examples": [{"question": "?", "better": "a"}]}, ".examples[]"),
        ({"features": [{"name": "prompt"}], "rows": [{"row_idx": 0, "row": PAIRS[0]}]}, ".rows[].row"),
    ],
    ids=["data", "another key", "a key for each row", "rows of an unknown format", "the datasets server"],
)
def test_a_list_of_rows_in_an_object_is_named_with_the_command_of_jq(value, filter_of_jq, indent):
    assert f"`jq -c '{filter_of_jq}' 'my rows.json' > rows.jsonl`" in refusal(value, indent)


COLUMNS = [
    {key: {str(number): pair[key] for number, pair in enumerate(PAIRS)} for key in PAIRS[0]},
    {key: [pair[key] for pair in PAIRS] for key in PAIRS[0]},
    {key: [talk[key] for talk in TALKS] for key in TALKS[0]},
]


@pytest.mark.parametrize("table", COLUMNS, ids=["numbered cells", "lists", "lists of conversations"])
def test_an_object_of_columns_is_named_with_the_command_of_pandas(table):
    assert "an object of columns; `python -c " in refusal(table)


def test_the_command_of_pandas_writes_the_rows(tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "my rows.json").write_text(json.dumps(COLUMNS[0]), encoding="utf-8")
    command = re.search(r"`(.+)`", refusal(COLUMNS[0]))[1].replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == PAIRS


def test_wrapped_rows_that_go_on_beyond_what_is_looked_at_are_named():
    with pytest.raises(BrokenFile, match="its rows are in data"):
        refuse_wrapped_rows(json.dumps({"data": PAIRS}).encode()[:-40], "raw.json", goes_on=True)


@pytest.mark.parametrize("row", [*ROWS.values(), {"x": 1}, {"data": []}, {"data": "a"}, {}], ids=str)
def test_a_row_is_not_taken_for_many(row):
    refuse_wrapped_rows(json.dumps(row).encode() + b"\n" + json.dumps({"data": PAIRS}).encode(), "raw.jsonl")


@pytest.mark.parametrize("head", [b"", b"{", b"?", b"[]", b'{"messages": [{"role": "user"', b"\xff" * 9])
def test_other_beginnings_are_not_refused(head):
    refuse_wrapped_rows(head, "raw.jsonl")
