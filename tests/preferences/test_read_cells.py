"""preferences/read_cells.py: the header of a table, and what quotes are in it."""

import csv
import io

import pytest

from pipeline.preferences.chunk import BrokenFile
from pipeline.preferences.read_cells import CellReader, unescape

HEADER = "prompt\tchosen\trejected\n"


def read(text: str, delimiter: str = "\t", or_letters: bool = False) -> list[tuple[int, list[str]]]:
    """Return the rows of a table with their lines."""
    return list(CellReader(io.BytesIO(text.encode("utf-8", "surrogateescape")), delimiter).read_rows(or_letters))


def cells(text: str) -> list[list[str]]:
    """Return the cells of a table with tabs."""
    return [row for _, row in read(HEADER + text)]


# The header


@pytest.mark.parametrize(
    "above",
    ["", "\n", "# from the second round\n", "# one\n\n# two\n", "\ufeff"],
    ids=["nothing", "a blank line", "a remark", "two remarks", "a byte order mark"],
)
def test_the_header_may_stand_below_remarks_and_blank_lines(above):
    table = CellReader(io.BytesIO(f"{above}#prompt\tchosen \trejected\na\tb\tc\n".encode()), "\t")
    assert table.header == ["prompt", "chosen", "rejected"]
    assert list(table.read_rows()) == [(above.count("\n") + 2, ["a", "b", "c"])]


@pytest.mark.parametrize(
    ("header", "delimiter", "problem"),
    [
        ("prompt;chosen;rejected", ",", "semicolons separate the columns, and not commas"),
        ("prompt\tchosen\trejected", ",", "tabs separate the columns, and not commas"),
        ("prompt,chosen,rejected", "\t", "commas separate the columns, and not tabs"),
        ("prompt|chosen|rejected", ",", "bars separate the columns, and not commas"),
        ("From the second round", ",", "one column only: 'From the second round'; begin a remark above it with #"),
        ("Second round,,", ",", "columns without a name, beside 'Second round'; begin a remark above it with #"),
        ("prompt;chosen, of two;rejected", ",", "semicolons separate the columns, and not commas"),
        ("prompt,\udcc4,chosen", ",", "the bytes are not UTF-8; save the file as UTF-8"),
        ("prompt,chosen,chosen", ",", "the column 'chosen' stands twice"),
    ],
)
def test_a_first_line_that_names_no_columns_is_said_once(header, delimiter, problem):
    with pytest.raises(BrokenFile) as broken:
        read(f"{header}\na{delimiter}b{delimiter}c\n", delimiter)
    assert (broken.value.line, broken.value.problem, broken.value.code) == (1, problem, "wrong-header")


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("prompt,chosen (better),rejected # worse", ["prompt", "chosen", "rejected"]),
        ("score (a),score (b)", ["score (a)", "score (b)"]),
        ("(a),f(x)(y)", ["(a)", "f(x)"]),
    ],
)
def test_a_remark_at_the_end_of_a_name_is_no_part_of_it(header, names):
    assert CellReader(io.BytesIO(header.encode()), ",").header == names


def test_the_line_that_tells_excel_the_separator_is_passed_over():
    assert read("sep=,\na,b\n1,2\n", ",") == [(3, ["1", "2"])]


# The rows


def test_a_row_begins_on_the_line_of_its_first_cell():
    assert read('a,b\n1,"2\n3"\n\n,\n4,5\n', ",") == [(2, ["1", "2\n3"]), (6, ["4", "5"])]


def test_a_space_after_every_comma_of_the_header_is_part_of_no_cell():
    assert read('a, b, c\n1, "2, 3", 4\n', ",") == [(2, ["1", "2, 3", "4"])]
    assert read("a,b,c\n1, 2,3\n", ",") == [(2, ["1", " 2", "3"])]


def test_a_long_cell_is_read():
    assert read(f"a,b\n{'x' * 200_000},b\n", ",")[0][1][0] == "x" * 200_000


def test_a_quote_that_is_never_closed_is_named_with_its_line():
    with pytest.raises(BrokenFile) as broken:
        read('chosen,rejected\na,b\nc,"d\n', ",")
    assert (broken.value.line, broken.value.problem) == (3, "not CSV: unexpected end of data")


# Quotes in tables with tabs


@pytest.mark.parametrize(
    "row",
    [
        'Say "no"\tNo!\tYes',
        '"No!" is what?\tAn answer\tA "word"',
        'Translate\t"Stop!"\tStop',
        'How wide?\t5"\t5" or 6"',
        'Quote\t"She said "no"."\tNo',
        '"\tb\tc',
    ],
)
def test_quotes_that_enclose_nothing_are_letters(row):
    assert cells(f"{row}\n") == [row.split("\t")]


def test_one_such_quote_makes_all_quotes_of_the_file_letters():
    assert cells('a\t"b"\tc\nd "e\tf\tg\n') == [["a", '"b"', "c"], ['d "e', "f", "g"]]


ROWS = [["a", 'said "no"', "c"], ["one\ntwo", "b", "c"], ["a, b", "", "5"], ["x", "y", "z"]]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_what_a_writer_of_csv_wrote_with_tabs_is_read_as_it_was(quoting):
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quoting=quoting, lineterminator="\n").writerows([["a", "b", "c"], *ROWS])
    assert [row for _, row in read(text.getvalue())] == ROWS


def test_a_table_in_which_some_quotes_enclose_and_some_cannot_is_named_with_the_line():
    with pytest.raises(BrokenFile) as broken:
        cells('a\t"said ""no"""\tc\nd\t"e" f\tg\n')
    assert broken.value.line == 3


def test_quotes_of_annotations_are_letters_where_it_cannot_be_told():
    rows = read(HEADER + 'a\t"said ""no"""\tc\nd\t"e" f\tg\n', or_letters=True)
    assert [row for _, row in rows] == [["a", 'said "no"', "c"], ["d", '"e" f', "g"]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"He said ""no""."', 'He said "no".'),
        ('"""No"""', '"No"'),
        ('"No"', '"No"'),
        ('""', '""'),
        ('"a" and "b"', '"a" and "b"'),
    ],
)
def test_a_cell_with_doubled_quotes_inside_was_enclosed(cell, text):
    assert unescape(cell) == text
