"""tables.py: rows as Markdown."""

from pipeline.files.tables import markdown_table


def test_a_table_has_a_head_and_a_line_a_row():
    assert markdown_table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]


def test_bars_backslashes_and_line_breaks_stay_in_their_cell():
    assert markdown_table(["a"], [["x|y\\z\nw"]])[-1] == "| x\\|y\\\\z w |"


def test_without_rows_there_is_no_table():
    assert markdown_table(["a"], []) == []
