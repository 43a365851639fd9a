"""preferences/sniff.py: a file that is not what its name says is named once."""

import gzip
import io
import zipfile

import pytest

from pipeline.preferences.chunk import BrokenFile
from pipeline.preferences.sniff import refuse_other_content, refuse_pointer
from tests.fuzz.seeds import write_arrow, write_parquet
from tests.support.conversion import convert

ROW = {"prompt": "a", "chosen": "b", "rejected": "c"}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


def refusal(data: bytes, kind: str) -> BrokenFile:
    with pytest.raises(BrokenFile) as broken:
        refuse_other_content(data, kind)
    return broken.value


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.arrow", "a.csv", "a.jsonl.gz", "a.csv.zst"])
def test_a_pointer_of_git_lfs_is_named_whatever_the_kind(tmp_path, name):
    (tmp_path / name).write_bytes(POINTER)
    assert convert(tmp_path / name, tmp_path / "out") == (
        f"{tmp_path}/{name}:1: a Git LFS pointer, in place of the data; "
        "run `git lfs pull` in the folder of the file (git-lfs-pointer)"
    )


def test_a_pointer_of_git_annex_is_named_with_its_remedy():
    with pytest.raises(BrokenFile, match="`git annex get`"):
        refuse_pointer(b"/annex/objects/SHA256E-s12--0.jsonl\n")


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (write_parquet(ROW), "Parquet by its first bytes: name it .parquet"),
        (write_arrow([ROW], as_file=True), "Arrow by its first bytes: name it .arrow"),
        (gzip.compress(b"{}", mtime=0), "packed by gzip: let its name end in .gz"),
        (workbook(), "an Excel workbook or a ZIP archive: export a table as .csv, or unpack it"),
        (b"<!DOCTYPE html>\n", "a web page: download the file itself (on the hub, /resolve/ in place of /blob/)"),
        ("{}".encode("utf-16"), "UTF-16 by its first bytes: save it as UTF-8"),
    ],
)
def test_other_content_under_the_name_of_text_is_named_with_what_to_do(data, advice):
    assert refusal(data, ".jsonl").problem == advice


@pytest.mark.parametrize("data", [b"", b"{}", b"\xef\xbb\xbf{}", b"version,prompt\n", b"Pk"])
def test_text_is_not_refused(data):
    refuse_other_content(data, ".csv")
