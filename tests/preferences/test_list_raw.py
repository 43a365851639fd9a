"""preferences/list_raw.py: every file and link of a folder is read, left with the reason, or stops."""

import os
from pathlib import Path

import pytest

from pipeline.preferences.list_raw import Listing, list_raw, refuse_results, stop_at
from pipeline.preferences.open_raw import UnreadableRaw

ROW = '{"prompt": "a", "chosen": "b", "rejected": "c"}\n'


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return an empty folder named raw, beside which the test runs."""
    monkeypatch.chdir(tmp_path)
    Path("raw").mkdir()
    return Path("raw")


def write(*names: str) -> None:
    """Write files with a row in each."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(ROW, encoding="utf-8")


def listed(raw: str = "raw", out: str = "out") -> tuple[list[str], dict[str, str]]:
    """Return the files to read, and what is left with the reasons."""
    listing = list_raw(raw, out)
    return list(map(str, listing.files)), {file["file"]: file["why"] for file in listing.account()}


def refusal(raw: str = "raw", out: str = "out") -> str:
    with pytest.raises(UnreadableRaw) as refused:
        list_raw(raw, out)
    assert "\n" not in str(refused.value)
    return str(refused.value)


# Files


def test_a_clone_of_a_hub_data_set_gives_its_data_alone(folder):
    write("raw/README.md", "raw/dataset_infos.json", "raw/.gitattributes", "raw/.git/config.json", "raw/LICENSE.txt")
    write("raw/data/train-00000-of-00001.parquet")
    assert listed() == (["raw/data/train-00000-of-00001.parquet"], {})


def test_data_whose_name_begins_like_a_companion_is_read(folder):
    write("raw/readme.jsonl", "raw/license.csv.gz")
    assert listed() == (["raw/license.csv.gz", "raw/readme.jsonl"], {})


def test_a_file_of_another_kind_is_left_with_the_reason(folder):
    write("raw/a.jsonl", "raw/b.xlsx", "raw/deep/c.jsonl.bz2")
    files, left = listed()
    assert (files, sorted(left)) == (["raw/a.jsonl"], ["raw/b.xlsx", "raw/deep/c.jsonl.bz2"])
    assert left["raw/b.xlsx"].startswith("not of a kind that is read: .jsonl, ")


def test_endings_in_capitals_are_known(folder):
    write("raw/A.JSONL", "raw/B.CSV.GZ")
    assert listed() == (["raw/A.JSONL", "raw/B.CSV.GZ"], {})


def test_a_pipe_in_a_folder_is_left(folder):
    write("raw/a.jsonl")
    os.mkfifo("raw/b.jsonl")
    assert listed() == (["raw/a.jsonl"], {"raw/b.jsonl": "not a file"})


def test_a_name_that_is_not_utf8_can_be_written_into_quality_json(folder):
    write("raw/a.jsonl")
    Path(os.fsdecode(b"raw/\xff.xlsx")).write_bytes(b"")
    assert list(listed()[1]) == ["raw/\\xff.xlsx"]


# Links


@pytest.mark.parametrize(
    ("target", "said"),
    [("nothing", "a link to nothing (it names nothing)"), ("b.jsonl", "Too many levels of symbolic links")],
    ids=["to nothing", "to itself"],
)
@pytest.mark.parametrize("raw", ["raw", "raw/b.jsonl", "raw/*.jsonl"])
def test_a_dead_link_with_the_name_of_data_stops(folder, target, said, raw):
    write("raw/a.jsonl")
    Path("raw/b.jsonl").symlink_to(target)
    message = refusal(raw)
    assert message.startswith("raw/b.jsonl: ") and said in message


def test_a_dead_link_with_another_name_is_left(folder):
    write("raw/a.jsonl")
    Path("raw/docs").symlink_to("nothing")
    assert listed() == (["raw/a.jsonl"], {"raw/docs": "a link to nothing"})


def test_a_linked_folder_is_read(folder):
    write("elsewhere/a.jsonl")
    Path("raw/more").symlink_to("../elsewhere")
    assert listed() == (["raw/more/a.jsonl"], {})


@pytest.mark.parametrize("target", [".", "..", "../sub", "../../elsewhere"])
def test_a_folder_is_read_once_however_many_links_lead_to_it(folder, target):
    write("raw/sub/a.jsonl", "elsewhere/b.jsonl")
    Path("raw/more").symlink_to("../elsewhere")
    Path("raw/sub/link").symlink_to(target)
    why = "a link to a folder that is read already, or in a circle"
    assert listed() == (["raw/more/b.jsonl", "raw/sub/a.jsonl"], {"raw/sub/link": why})


def test_a_link_to_a_file_that_is_read_is_left(folder):
    write("raw/b.jsonl")
    Path("raw/a.jsonl").symlink_to("b.jsonl")
    assert listed() == (["raw/b.jsonl"], {"raw/a.jsonl": "the same file as raw/b.jsonl"})


def test_two_files_with_one_inode_are_both_read(folder):
    write("raw/a.jsonl")
    Path("raw/b.jsonl").hardlink_to("raw/a.jsonl")  # as DVC links equal files
    assert listed() == (["raw/a.jsonl", "raw/b.jsonl"], {})


# Names that cannot be listed


@pytest.mark.parametrize("raw", ["x" * 5000, "raw/" + "x" * 300 + ".jsonl", "raw/**.jsonl", "raw/***/x"])
def test_a_name_that_no_file_can_have_is_named_in_one_line(folder, raw):
    assert refusal(raw).startswith(raw[:150])


@pytest.mark.parametrize("raw", ["none.jsonl", "none/*.jsonl", "raw", "raw\0x"])
def test_where_nothing_is_nothing_is_listed(folder, raw):
    assert list_raw(raw, "out") == Listing()


def test_a_folder_that_may_not_be_read_is_named(folder):
    write("raw/a.jsonl", "raw/closed/b.jsonl")
    Path("raw/closed").chmod(0)
    try:
        if os.access("raw/closed", os.R_OK):
            pytest.skip("root may read everything")
        assert refusal() == "raw/closed: Permission denied; set data.raw to what can be read"
    finally:
        Path("raw/closed").chmod(0o755)


def test_the_error_of_a_folder_is_not_passed_over():
    with pytest.raises(PermissionError):
        stop_at(PermissionError())


# Globs


def test_a_glob_takes_the_data_among_its_matches(folder):
    write("raw/README.md", "raw/a.jsonl", "raw/b.xlsx", "raw/sub/c.jsonl")
    files, left = listed("raw/*")
    assert (files, sorted(left)) == (["raw/a.jsonl"], ["raw/b.xlsx", "raw/sub"])


def test_a_glob_that_reaches_into_folders_leaves_none_of_them(folder):
    write("raw/a.jsonl", "raw/sub/b.jsonl", "raw/sub/c.xlsx", "raw/.git/d.jsonl", "raw/.e.jsonl")
    files, left = listed("raw/**/*")
    assert (files, list(left)) == (["raw/a.jsonl", "raw/sub/b.jsonl"], ["raw/sub/c.xlsx"])


def test_a_hidden_folder_that_the_glob_names_is_read(folder):
    write("raw/.cache/a.jsonl")
    assert listed("raw/.cache/*") == (["raw/.cache/a.jsonl"], {})


def test_a_glob_of_other_names_alone_takes_them(folder):
    write("raw/a.txt", "raw/b.txt")
    assert listed("raw/*.txt") == (["raw/a.txt", "raw/b.txt"], {})


# Results


def test_what_an_earlier_conversion_wrote_is_left(folder):
    write("raw/a.jsonl", "raw/out/pairs.jsonl", "raw/out/quality.json", "raw/out/mine.jsonl")
    left = dict.fromkeys(["raw/out/pairs.jsonl", "raw/out/quality.json"], "is written here")
    assert listed("raw", "raw/out") == (["raw/a.jsonl", "raw/out/mine.jsonl"], left)


@pytest.mark.parametrize("raw", ["out/pairs.jsonl", "out", "out/p*.jsonl"])
def test_results_alone_are_no_data(folder, raw):
    write("out/pairs.jsonl")
    assert refusal(raw) == "out/pairs.jsonl: is written here; name other data, or another folder for it"


@pytest.mark.parametrize(
    "raw", [".", "results", "results/mine", "results/mine/data/train.jsonl", "results/*/*/*.jsonl"]
)
def test_results_of_a_run_are_refused_as_its_data(folder, raw):
    write("raw/a.jsonl", "results/mine/data/train.jsonl")
    files = list_raw(raw, "results/mine/data").files
    with pytest.raises(UnreadableRaw, match=r"names files in results/mine, where the run writes; set data\.raw to"):
        refuse_results(raw, files, Path("results/mine"))


@pytest.mark.parametrize("raw", ["raw", "results/other/data", "results/other/data/pairs.jsonl"])
def test_data_beside_the_results_of_a_run_is_not_refused(folder, raw):
    write("raw/a.jsonl", "results/other/data/pairs.jsonl")
    refuse_results(raw, list_raw(raw, "results/mine/data").files, Path("results/mine"))
