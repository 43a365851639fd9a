"""preferences/read_tables.py: what a row of a table and its cells mean."""

import json

import pytest

from pipeline.preferences.chunk import TableRow
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_tables import csv_row, read_cell

HEADER = ["prompt", "chosen", "rejected", "tag"]


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
    assert csv_row(HEADER, ["?", "a", "\udcff", ""], 3) == TableRow(b"", 3, Finding("not-utf8"))


def test_cells_at_the_end_that_a_tool_left_out_have_no_value():
    row = csv_row(HEADER, ["?", "a", "b"], 2, may_lack=True)
    assert json.loads(row.json) == {"prompt": "?", "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(("cells", "may_lack"), [("abc", False), ("abcde", False), ("abcde", True)])
def test_another_number_of_cells_is_named(cells, may_lack):
    problem = csv_row(HEADER, list(cells), 2, may_lack).problem
    assert problem == Finding("wrong-structure", "$", f"{len(cells)} cells, but the header has 4")


@pytest.mark.parametrize(
    "printed",
    [
        "[{'role': 'user', 'content': 'Name a tree.'}]",
        "[{'content': \"What's this?\", 'role': 'user'}\n {'content': 'A tree.', 'role': 'assistant'}]",
        "array([{'from': 'human', 'value': 'Name a tree.'}], dtype=object)",
        "{'role': 'assistant', 'content': 'An oak.'}",
    ],
    ids=["a list", "an array of numpy", "an array by repr", "a message"],
)
def test_a_conversation_that_python_printed_is_refused_and_never_an_answer(printed):
    problem = csv_row(HEADER, ["Name a tree.", printed, "No", ""], 2).problem
    assert problem and problem.path == "$.chosen" and "json.dumps" in problem.detail


@pytest.mark.parametrize("answer", ["[{'a': 1}]", "{'name': 'role'}", "print({'role': 'user'})"])
def test_an_answer_in_python_stays_text(answer):
    assert json.loads(csv_row(HEADER, ["?", answer, "No", ""], 2).json)["chosen"] == answer
