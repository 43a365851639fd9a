"""write_interface_strings.py: the same files each time, and whether they are stale."""

import hashlib

import pytest

from tools.write_interface_strings import main

# An edit of the lexicon, of the patterns or of the draw changes them, and so every result of the default run.
SHA256 = {
    "pairs.jsonl": "607992b900052ee92cca4785b88fb800c8d2958a5e9222e2516119302c426115",
    "base.jsonl": "4f83bd3a85a21407914a624565bf3e7ef4fc003dd5beca1a98474e339353b5a6",
    "neutral.jsonl": "44d60409a74b0daa0d0eacb0a3dcc17b145777c71e5d61d018218e041085dd1e",
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
