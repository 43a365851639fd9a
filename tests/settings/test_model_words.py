"""model_words.py: what is written as MODEL=FILE[,FILE] is read as it was."""

from pathlib import Path

import pytest

from pipeline.settings.model_words import name_files, read_files, read_single_files


def test_each_model_has_its_files_in_order():
    words = name_files(["base", "dpo"], ["b/0", "b/1", "d/0", "d/1"])
    assert words == ["base=b/0,b/1", "dpo=d/0,d/1"]
    assert read_files(words) == {"base": [Path("b/0"), Path("b/1")], "dpo": [Path("d/0"), Path("d/1")]}


def test_a_path_may_have_an_equals_sign():
    assert read_single_files(name_files(["dpo"], ["beta=0.1/a"])) == {"dpo": Path("beta=0.1/a")}


@pytest.mark.parametrize("word", ["base", "=file", "base=", "base=a,,b", "base=a,"])
def test_a_word_without_a_model_or_a_file_is_one_line(word):
    with pytest.raises(SystemExit, match=f"^{word}: give each file with its model's name"):
        read_files([word])
