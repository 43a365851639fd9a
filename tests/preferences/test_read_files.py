"""preferences/read_files.py: a file that changes while it is read is named, and ends the conversion."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.preferences.chunk import TABLE_ROWS
from pipeline.preferences.options import Options
from pipeline.preferences.read_files import RawFiles

ROW = json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"})
ARRAY = "[" + ",\n".join([ROW] * (TABLE_ROWS + 1)) + "]"  # two chunks


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("\n")


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    other, status = path.with_name("other"), path.stat()
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def read(path: Path, meanwhile: Callable[[Path], None] | None = None) -> RawFiles:
    """Read a file; after its first chunk something happens to it."""
    raw = RawFiles([path], "auto", Options(), 1 << 30, lambda count: None)
    for number, _ in enumerate(raw.read()):
        if meanwhile and number == 0:
            meanwhile(path)
    return raw


@pytest.mark.parametrize(
    ("meanwhile", "problem"),
    [
        (append, "it changed while it was read"),
        (touch, "it changed while it was read"),
        (replace, "another file has taken its place since it was opened"),
        (Path.unlink, "it is gone since it was opened"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, meanwhile, problem):
    (tmp_path / "raw.json").write_text(ARRAY)
    broken = read(tmp_path / "raw.json", meanwhile).files[0].broken
    assert broken and broken[1].code == "changed-file" and broken[1].detail.startswith(problem)


def test_a_file_that_stays_as_it_is_is_not_named(tmp_path):
    (tmp_path / "raw.json").write_text(ARRAY)
    assert read(tmp_path / "raw.json").files[0].broken is None


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_columns_that_no_format_has_are_named_once(tmp_path, ending):
    cells = [["question", "better", "worse"], *(["a", "b", "c"] for _ in range(9))]
    text = "\n".join({"csv": ",", "tsv": "\t"}[ending].join(row) for row in cells)
    (tmp_path / f"raw.{ending}").write_text(text)
    file = read(tmp_path / f"raw.{ending}").files[0]
    assert file.broken and (file.broken[0].line, file.broken[1].code) == (1, "unknown-format")
    assert "question, better, worse" in file.broken[1].detail


def test_a_table_whose_first_rows_are_all_wrong_is_not_called_unknown(tmp_path):
    (tmp_path / "raw.csv").write_text("prompt,chosen,rejected\na\nb\n")
    assert read(tmp_path / "raw.csv").files[0].broken is None


def test_a_pipe_is_read_and_has_no_size_to_change(tmp_path):
    reader, writer = os.pipe()
    os.write(writer, ROW.encode())
    os.close(writer)
    try:
        raw = read(Path(f"/dev/fd/{reader}"))
    finally:
        os.close(reader)
    assert (raw.files[0].format, raw.files[0].broken) == ("trl", None)
