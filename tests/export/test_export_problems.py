"""export_gguf.py: what is refused in one line, before anything is written."""

import json

import pytest
from tokenizers import Regex, Tokenizer, pre_tokenizers

from pipeline.export.split_pattern import find_split_problem
from scripts.export_gguf import find_problem
from tests.support.model_folders import write_model_folder

pytestmark = pytest.mark.training_environment


def change_tokenizer(folder, change):
    """Write a folder's tokenizer with another way to split words, and return the path."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.pre_tokenizer = change
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


@pytest.mark.parametrize("name", ["built", "gpt_oss"])
def test_the_tokenizers_of_gpt_oss_and_of_the_tiny_model_split_words_as_llama_cpp_does(name, request):
    found = request.getfixturevalue(name)
    assert find_split_problem(found[0] if name == "built" else found) is None


@pytest.mark.parametrize(
    "before",
    [
        pre_tokenizers.ByteLevel(),
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(r"\s+"), "isolated"), pre_tokenizers.ByteLevel(use_regex=False)]
        ),
    ],
)
def test_a_tokenizer_that_splits_words_otherwise_is_refused(built, tmp_path, before):
    (tmp_path / "tokenizer.json").write_bytes((built[0] / "tokenizer.json").read_bytes())
    path = change_tokenizer(tmp_path, before)
    problem = find_split_problem(tmp_path)
    assert problem.startswith(f"{path}: splits words by ")
    assert problem.endswith("not as gpt-oss does, which llama.cpp would do; set export.gguf: false")


def test_a_model_whose_experts_compute_otherwise_is_refused(built, tmp_path):
    folder = write_model_folder(tmp_path, swiglu_limit=5.0)
    (folder / "tokenizer.json").write_bytes((built[0] / "tokenizer.json").read_bytes())
    assert find_problem(folder) == (
        f"{folder}/config.json: swiglu_limit is 5.0, and llama.cpp has 7.0 alone; set export.gguf: false"
    )


def test_a_folder_that_is_no_gpt_oss_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    assert "architectures is ['LlamaForCausalLM']" in find_problem(tmp_path)
