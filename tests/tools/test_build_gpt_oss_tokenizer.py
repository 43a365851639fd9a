"""build_gpt_oss_tokenizer.py: gpt-oss's own tokenizer, without a network."""

import hashlib

import pytest
from transformers import AutoTokenizer

from tools import build_gpt_oss_tokenizer

pytestmark = pytest.mark.training_environment


def test_it_is_the_published_one_byte_for_byte(gpt_oss):
    found = hashlib.sha256((gpt_oss / "tokenizer.json").read_bytes()).hexdigest()
    assert found == "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3"


def test_transformers_reads_its_special_tokens(gpt_oss):
    tokenizer = AutoTokenizer.from_pretrained(gpt_oss)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<|startoftext|>",
        "<|return|>",
        "<|endoftext|>",
    )
    assert tokenizer.encode("<|start|>assistant<|channel|>", add_special_tokens=False) == [200006, 173781, 200005]


@pytest.mark.parametrize("changed", ["VOCABULARY_SHA256", "TOKENIZER_SHA256"])
def test_other_bytes_stop_it_and_leave_nothing(changed, monkeypatch, tmp_path):
    monkeypatch.setattr(build_gpt_oss_tokenizer, changed, "0" * 64)
    with pytest.raises(SystemExit, match=r": SHA-256 is [0-9a-f]{64}, not 0{64}; install the versions"):
        build_gpt_oss_tokenizer.main(["--folder", str(tmp_path / "tokenizer")])
    assert list(tmp_path.iterdir()) == []
