"""build_tiny_model.py: a gpt-oss of the real architecture, the same bytes every time."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.build_tiny_model import draw_batches, last_turn, main
from tests.support.small_disk import small_disk
from tests.support.training_fixtures import SHAPE

pytestmark = pytest.mark.training_environment

HARMONY = ["<|start|>", "<|message|>", "<|end|>", "<|channel|>", "<|return|>", "<|call|>"]


def test_it_has_the_parts_of_gpt_oss(built):
    model = AutoModelForCausalLM.from_pretrained(built[0])
    assert type(model).__name__ == "GptOssForCausalLM"
    names = [name.partition("layers.0.")[2] for name, _ in model.named_parameters()]
    assert {"self_attn.sinks", "mlp.router.weight", "mlp.experts.gate_up_proj", "mlp.experts.down_proj"} <= set(names)
    assert model.config.layer_types == ["sliding_attention", "full_attention"]


def test_it_is_saved_in_bfloat16_like_the_real_one(built):
    config = json.loads((built[0] / "config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == "bfloat16"


def test_every_weight_learned_something(built):
    model = AutoModelForCausalLM.from_pretrained(built[0], dtype=torch.float32)
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    biases = [parameter for name, parameter in model.named_parameters() if name.endswith("o_proj.bias")]
    assert biases and all(bias.abs().sum() > 0 for bias in biases)  # they start at zero


def test_harmony_tokens_are_one_token_each(built):
    tokenizer = AutoTokenizer.from_pretrained(built[0])
    assert [len(tokenizer.encode(token, add_special_tokens=False)) for token in HARMONY] == [1] * len(HARMONY)


def test_any_text_survives_the_tokenizer(built):
    tokenizer = AutoTokenizer.from_pretrained(built[0])
    text = "保存 {name} %s 🙂 Größe\n\t12345"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_text_is_split_into_words_as_gpt_oss_splits_it(built, gpt_oss):
    own, published = (
        json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) for folder in (built[0], gpt_oss)
    )
    assert own["pre_tokenizer"] == published["pre_tokenizer"]


def test_the_tokenizer_is_of_the_class_that_gpt_oss_names_and_older_releases_know(built):
    config = json.loads((built[0] / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "backend" not in config


def test_a_disk_that_the_model_does_not_fit_on_is_named_before_anything_is_taught(tmp_path):
    settings = json.dumps({"model": {"tiny": SHAPE}, "prompt": {}})
    with (
        small_disk(tmp_path / "disk", 1) as disk,
        pytest.raises(SystemExit, match=f"^{disk}/model: 0.0 GiB free, but the model takes [1-9][0-9]* MiB; make room"),
    ):
        main(["no.jsonl", "--settings", settings, "--folder", str(disk / "model")])


def test_the_last_question_is_learnt_without_what_comes_before_it():
    start, user, end = 1, 3, 2
    ids = [start, 5, end, start, user, 6, end, start, 7, end, start, 8, end]
    labels = [-100] * 7 + [start, 7, end, start, 8, end]
    assert last_turn((ids, labels), [start, user]) == (ids[3:], [-100] * 4 + [start, 7, end, start, 8, end])


def test_every_row_is_used_once_before_any_is_used_again():
    drawn = [row for batch in draw_batches([*range(5)], 2, 5, seed=1) for row in batch]
    assert sorted(drawn[:5]) == sorted(drawn[5:]) == [*range(5)]


def test_two_builds_give_the_same_bytes(built):
    first, second = (folder.with_name("model.sha256").read_text(encoding="utf-8") for folder in built)
    assert first == second
