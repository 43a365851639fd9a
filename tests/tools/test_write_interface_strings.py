"""write_interface_strings.py: the same files each time, and whether they are stale."""

import hashlib

import pytest

from tools.write_interface_strings import main

# An edit of the lexicon, of the patterns or of the draw changes them, and so every result of the default run.
SHA256 = {
    "pairs.jsonl": "09cc8c58c639f623daed375fbd0b7d0eae166ed492579cc7732d58b2cb2688a3",
    "base.jsonl": "36fa66c209f6011037297f71b5b9d54fce4e16a98d6225c533cd8a73eb0ed875",
    "neutral.jsonl": "fbb035ee795e1feb38d4107fa2b418800e031da379235e9a85e1ba58c822d670",
}


@pytest.fixture
def folder(tmp_path):
    main(["--folder", str(tmp_path / "interface")])
    return tmp_path / "interface"


def test_the_bytes_are_the_same_each_time(folder):
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == SHA256


def test_fresh_files_pass_the_check(folder):
    main(["--folder", str(folder), "--check"])


@pytest.mark.parametrize("name", SHA256)
def test_a_file_that_is_stale_or_missing_is_named_and_stays(folder, name):
    said = f"{folder / name}: stale or missing; run: python -m tools.write_interface_strings"
    (folder / name).write_text("{}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"^{said}$"):
        main(["--folder", str(folder), "--check"])
    assert (folder / name).read_text(encoding="utf-8") == "{}\n"
    (folder / name).unlink()
    with pytest.raises(SystemExit, match=f"^{said}$"):
        main(["--folder", str(folder), "--check"])


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"file/interface: Not a directory; name another folder with --folder$"):
        main(["--folder", str(tmp_path / "file" / "interface")])
