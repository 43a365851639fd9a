"""preferences/read_tables.py: the rows of a table."""

import json

import pytest

from pipeline.preferences.chunk import TableRow
from pipeline.preferences.problems import Finding
from pipeline.preferences.read_tables import csv_row

HEADER = ["prompt", "chosen", "rejected", "tag"]


def test_a_cell_that_is_not_utf8_is_named_with_its_line():
    assert csv_row(HEADER, ["?", "a", "\udcff", ""], 3) == TableRow(b"", 3, Finding("not-utf8"))


def test_cells_at_the_end_that_a_tool_left_out_have_no_value():
    row = csv_row(HEADER, ["?", "a", "b"], 2, may_lack=True)
    assert json.loads(row.json) == {"prompt": "?", "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(("cells", "may_lack"), [("abc", False), ("abcde", False), ("abcde", True)])
def test_another_number_of_cells_is_named(cells, may_lack):
    problem = csv_row(HEADER, list(cells), 2, may_lack).problem
    assert problem == Finding("wrong-structure", "$", f"{len(cells)} cells, but the header has 4")
