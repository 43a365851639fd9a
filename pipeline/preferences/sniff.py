"""Recognise by its first bytes a file whose name promises another content."""

from pipeline.preferences.chunk import BrokenFile

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
PARQUET, ARROW, FEATHER_1 = b"PAR1", b"ARROW1", b"FEA1"
# How files of other kinds begin, and what to do about them.
OTHERS = {
    PARQUET: "Parquet by its first bytes: name it .parquet",
    ARROW: "Arrow by its first bytes: name it .arrow",
    b"\x1f\x8b": "packed by gzip: let its name end in .gz",
    b"\x28\xb5\x2f\xfd": "packed by zstd: let its name end in .zst",
    b"PK\x03\x04": "an Excel workbook or a ZIP archive: export a table as .csv, or unpack it",
    b"BZh": "packed by bzip2: unpack it",
    b"\xfd7zXZ": "packed by xz: unpack it",
    b"\xff\xfe": "UTF-16 by its first bytes: save it as UTF-8",
    b"\xfe\xff": "UTF-16 by its first bytes: save it as UTF-8",
    b"SQLite format 3": "an SQLite database: export the table as .csv",
}
BINARY_KINDS = (".parquet", ".arrow", ".feather")


def refuse_pointer(head: bytes) -> None:
    """Refuse a pointer that stands in place of a file of any kind, packed or not."""
    if head.startswith(LFS_POINTER):
        raise BrokenFile("a Git LFS pointer, in place of the data", 1, code="git-lfs-pointer")
    if head.startswith(b"/annex/objects/"):
        raise BrokenFile("a pointer of git-annex, in place of the data: run `git annex get` in its folder", 1)


def refuse_other_content(head: bytes, kind: str) -> None:
    """Refuse a file that is not what its name says, by its first bytes."""
    if head.startswith(FEATHER_1):
        raise BrokenFile("Feather version 1: write it again with pyarrow.feather.write_feather, version 2")
    if kind not in BINARY_KINDS:
        for begins, advice in OTHERS.items():
            if head.startswith(begins):
                raise BrokenFile(advice)
        if head[:100].lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise BrokenFile("a web page: download the file itself (on the hub, /resolve/ in place of /blob/)", 1)
