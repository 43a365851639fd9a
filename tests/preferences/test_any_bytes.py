"""The conversion of preferences, given bytes of any kind: nothing escapes, and every row is accounted for."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.preferences.chunk import BrokenFile
from pipeline.preferences.read_cells import CellReader, unescape
from tests.fuzz.oracle import KINDS, account
from tests.fuzz.seeds import MQM, ROWS, seed_files
from tests.support.project import ROOT

FUZZED = 2000  # inputs
PAIR = json.dumps(ROWS["swift-messages"])
SEEDS = list(seed_files())
often = settings(suppress_health_check=list(HealthCheck))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def rows_of_any_shape(draw) -> dict:
    """Draw a row with a format's keys and values of any kind, or some of the right ones."""
    row = dict(draw(st.sampled_from(list(ROWS.values()))))
    for key in draw(st.lists(st.sampled_from(sorted(row)), unique=True)):
        row[key] = draw(json_values)
    return row | draw(st.dictionaries(st.sampled_from(["id", "tag", "system", "prompt", "x"]), json_values, max_size=2))


@st.composite
def broken_files(draw) -> tuple[str, bytes]:
    """Draw a file that was right, and was changed in some places."""
    kind, data = draw(st.sampled_from(SEEDS))
    for change in draw(st.lists(st.sampled_from(["flip", "cut", "insert", "twice"]), min_size=1, max_size=4)):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        if change == "flip" and data:
            data = data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
        elif change == "cut":
            data = data[:at]
        elif change == "insert":
            data = data[:at] + draw(st.binary(min_size=1, max_size=6)) + data[at:]
        else:
            lines = data.splitlines(keepends=True)
            data = b"".join(lines[: at + 1] + lines[at : at + 1] + lines[at + 1 :])
    return kind, data


@pytest.mark.parametrize("kind", KINDS)
@often
@given(data=st.binary(max_size=200))
def test_bytes_without_any_form_are_accounted_for(kind, data):
    account(data, kind)


@pytest.mark.parametrize(("kind", "data"), SEEDS)
def test_a_file_that_is_right_gives_pairs(kind, data):
    assert account(data, kind).pairs


@settings(often, max_examples=4 * often.max_examples)
@given(file=broken_files())
def test_a_broken_file_is_accounted_for(file):
    account(file[1], file[0])


@often
@given(rows=st.lists(rows_of_any_shape() | json_values, max_size=6), escaped=st.booleans())
def test_lines_of_any_json_are_accounted_for(rows, escaped):
    # What cannot be UTF-8 is written all the same: a reader meets such files.
    lines = "".join(json.dumps(row, ensure_ascii=escaped) + "\n" for row in rows)
    account(lines.encode("utf-8", "surrogatepass"), ".jsonl")


@often
@given(rows=st.lists(rows_of_any_shape() | json_values, max_size=6), indent=st.none() | st.integers(0, 2))
def test_an_array_of_any_json_has_a_row_for_each_element(rows, indent):
    assert account(json.dumps(rows, indent=indent).encode(), ".json").rows_in == len(rows)


@often
@given(
    rows=st.lists(rows_of_any_shape(), min_size=1, max_size=6),
    indent=st.integers(0, 2),
    between=st.sampled_from(["", "\n", "\r\n\n"]),
)
def test_objects_over_many_lines_are_a_row_each_or_are_named_as_a_whole(rows, indent, between):
    counts = account(between.join(json.dumps(row, indent=indent) for row in rows).encode(), ".json")
    assert counts.rows_in == len(rows) or counts.codes["wrapped-rows"]


@often
@given(
    rows=st.lists(st.lists(st.text('"a, ', max_size=4), min_size=3, max_size=3)),
    writer=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_cells_with_quotes_that_a_writer_of_csv_wrote_come_back(rows, writer):
    text = io.StringIO()
    rows = [[f"x{cell}y" for cell in row] for row in rows]
    csv.writer(text, delimiter="\t", quoting=writer, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    table = CellReader(io.BytesIO(text.getvalue().encode()), "\t")
    assert [cells for _, cells in table.read_rows()] == rows


@often
@given(rows=st.lists(st.lists(st.text('"ab ,', min_size=1), min_size=3, max_size=3)))
def test_cells_without_an_enclosing_writer_keep_their_quotes_or_are_named(rows):
    # A quote in the middle of a cell that is not enclosed: no writer of CSV leaves it so.
    rows = [['no"quote', "b", "c"], *rows]
    text = "\n".join("\t".join(row) for row in [["a", "b", "c"], *rows])
    try:
        found = [cells for _, cells in CellReader(io.BytesIO(text.encode()), "\t").read_rows()]
    except BrokenFile:
        return
    assert found == [[unescape(cell) for cell in row] for row in rows]


@often
@given(
    header=st.lists(st.sampled_from(["prompt", "chosen", "rejected", "id", "messages", ""]) | st.text(max_size=3)),
    cells=st.lists(st.lists(st.text(max_size=6), max_size=5), max_size=4),
    kind=st.sampled_from([".csv", ".tsv"]),
)
def test_cells_of_any_text_are_accounted_for(header, cells, kind):
    delimiter = "," if kind == ".csv" else "\t"
    account("\n".join(delimiter.join(row) for row in [header, *cells]).encode("utf-8", "surrogatepass"), kind)


@often
@given(
    cells=st.lists(
        st.lists(st.sampled_from(["A", "B", "", "major", "no-error", "\xff", "<v>"]), max_size=9), max_size=6
    )
)
def test_annotations_of_any_text_are_accounted_for(cells):
    account(MQM + "\n".join("\t".join(row) for row in cells).encode("latin-1"), ".tsv")


@pytest.mark.parametrize("kind", [".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_a_file_that_is_cut_anywhere_is_said_to_be_broken(kind):
    data = next(data for found, data in SEEDS if found == kind)
    whole = [cut for cut in range(1, len(data)) if not account(data[:cut], kind).codes["broken-file"]]
    assert whole == []


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("kind", "data", "codes"),
    [
        pytest.param(".jsonl", b"\xff\n", {"not-utf8": 1}, id="a line that is not UTF-8"),
        pytest.param(".csv", b"prompt,chosen,rejected\na,b,c\nx\n", {"wrong-structure": 1}, id="a short last row"),
        pytest.param(".csv", b"prompt,chosen,rejected\nx\n", {"wrong-structure": 1}, id="a short only row"),
        pytest.param(".csv", b"chosen,rejected\n\xff,b\n", {"not-utf8": 1}, id="a last cell that is not UTF-8"),
        pytest.param(".json", f'[{{"a": {"1" * 5000}}}]'.encode(), None, id="a number of many digits in an array"),
        pytest.param(".jsonl", f'{{"a": {"1" * 5000}}}'.encode(), {"not-json": 1}, id="a number of many digits"),
        pytest.param(".jsonl", f'{{"messages": {deep(600)}}}'.encode(), None, id="a row nested 600 deep"),
        pytest.param(".jsonl", f'{{"messages": {deep(900)}}}'.encode(), None, id="a row nested 900 deep"),
        pytest.param(".jsonl", f'{{"a": {deep(90_000)}}}'.encode(), {"too-deep": 1}, id="a row nested 90000 deep"),
        pytest.param(".json", f"[{deep(600)}]".encode(), None, id="an element nested 600 deep"),
        pytest.param(".json", f"[{deep(90_000)}]".encode(), None, id="an element nested 90000 deep"),
    ],
)
def test_what_is_hard_to_read_is_named(kind, data, codes):
    found = {code: rows for code, rows in account(data, kind).codes.items() if rows}
    assert found == codes if codes else len(found) == 1


@pytest.mark.parametrize("depth", [300, 600, 900, 5000])
def test_a_deep_key_that_is_not_read_is_accounted_for_when_another_stands_twice(depth):
    line = f'{PAIR[:-1]}, "x": {deep(depth)}, "tag": "a", "tag": "b"}}'
    assert account(line.encode(), ".jsonl").pairs == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_format_that_the_file_cannot_have_is_accounted_for(kind):
    for format_name in (*{name.partition("-")[0] for name in ROWS}, "mqm"):
        for other, data in SEEDS:
            if other == kind:
                account(data, kind, format_name)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n"])
def test_an_empty_table_is_no_mqm_and_is_named_with_a_line(data):
    assert account(data, ".tsv", "mqm").codes["broken-file"]


def test_an_annotation_that_is_not_utf8_is_named_and_makes_no_pair():
    counts = account(MQM.replace(b"two", b"\xff"), ".tsv")
    assert counts.codes["not-utf8"]
    assert counts.rows_rejected == 2


def test_a_cell_above_the_limit_is_accounted_for_in_annotations_too():
    assert account(MQM.replace(b"two", b"x" * (17 << 20)), ".tsv").rows_rejected


def test_a_short_fuzz_finds_nothing():
    pytest.importorskip("atheris", reason="coverage-guided fuzzing has no package for this platform")
    command = [sys.executable, "-m", "tests.fuzz.fuzz_readers", f"-atheris_runs={FUZZED}", "-seed=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert int(re.search(r"([\d,]+) inputs in", said)[1].replace(",", "")) >= FUZZED
