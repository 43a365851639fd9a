"""preferences/saved_sets.py: folders that Hugging Face's datasets wrote, and their splits."""

import json
from pathlib import Path

import pytest

from pipeline.preferences.list_raw import list_raw
from pipeline.preferences.open_raw import UnreadableRaw
from tests.fuzz.seeds import write_arrow
from tests.support.conversion import convert, read_pairs

ROW = {"prompt": "Name a tree.", "chosen": "An oak.", "rejected": "A oak."}


def save_to_disk(folder: Path, parts: int = 1) -> None:
    """Write what Dataset.save_to_disk does, a row in each part."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05}-of-{parts:05}.arrow" for number in range(parts)]
    for number, name in enumerate(names):
        row = ROW | {"prompt": f"{folder.name} {number}?"}
        (folder / name).write_bytes(write_arrow([row], as_file=False))
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": folder.name}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "dataset_info.json").write_text('{"features": {}}', encoding="utf-8")


def save_dict(folder: Path, *splits: str) -> None:
    """Write what DatasetDict.save_to_disk does."""
    for split in splits:
        save_to_disk(folder / split)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": splits}), encoding="utf-8")


def test_a_saved_set_is_read_from_all_its_parts(tmp_path):
    save_to_disk(tmp_path / "set", parts=2)
    assert convert(tmp_path / "set", tmp_path / "out") is None
    assert [pair["messages"][0]["content"] for pair in read_pairs(tmp_path / "out")] == ["set 0?", "set 1?"]


@pytest.mark.parametrize("ending", ["", "/*", "/*.arrow"])
def test_a_cache_beside_the_parts_of_a_saved_set_is_left(tmp_path, ending):
    save_to_disk(tmp_path / "set")
    (tmp_path / "set" / "cache-0123.arrow").write_bytes(write_arrow([ROW], as_file=False))
    listing = list_raw(f"{tmp_path}/set{ending}", "out")
    assert [path.name for path in listing.files] == ["data-00000-of-00001.arrow"]
    assert listing.left == {
        tmp_path / "set" / "cache-0123.arrow": "a cache: state.json does not name it as a part of the saved set"
    }


def test_a_part_that_is_missing_is_named(tmp_path):
    save_to_disk(tmp_path / "set", parts=2)
    (tmp_path / "set" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(UnreadableRaw, match=r"data-00001-of-00002\.arrow, which state\.json names, is not there"):
        list_raw(str(tmp_path / "set"), "out")


@pytest.mark.parametrize("state", [b"", b"[]", b"{}", b"\xff", b'{"_data_files": 3}'])
def test_another_file_of_that_name_is_no_saved_set(tmp_path, state):
    (tmp_path / "state.json").write_bytes(state)
    (tmp_path / "a.arrow").write_bytes(b"")
    assert list_raw(str(tmp_path), "out").files == [tmp_path / "a.arrow"]


def test_saved_splits_are_read_one_by_one_and_not_together(tmp_path):
    save_dict(tmp_path / "sets", "train", "test")
    with pytest.raises(UnreadableRaw, match=rf"holds the splits train, test; name one: {tmp_path}/sets/train$"):
        list_raw(str(tmp_path / "sets"), "out")
    assert len(list_raw(str(tmp_path / "sets" / "train"), "out").files) == 1


def test_a_saved_dictionary_with_one_split_is_read(tmp_path):
    save_dict(tmp_path / "sets", "train")
    assert len(list_raw(str(tmp_path / "sets"), "out").files) == 1


@pytest.mark.parametrize("depth", ["", "data/"])
def test_splits_of_a_hub_data_set_are_named_by_a_glob(tmp_path, depth):
    for name in ("test_prefs-00000-of-00001.parquet", "train_prefs-00000-of-00001.parquet"):
        (tmp_path / depth).mkdir(exist_ok=True)
        (tmp_path / depth / name).write_bytes(b"")
    with pytest.raises(UnreadableRaw, match=r"the splits test_prefs, train_prefs; name one, in quotes: ") as refused:
        list_raw(str(tmp_path), "out")
    example = str(refused.value).rpartition(": ")[2]
    assert [path.name for path in list_raw(example, "out").files] == ["train_prefs-00000-of-00001.parquet"]


def test_configurations_with_the_same_split_are_read_together(tmp_path):
    for name in ("en", "zh"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train-00000-of-00001.parquet").write_bytes(b"")
    assert len(list_raw(str(tmp_path), "out").files) == 2
