"""score_neutral.py: the loss of a text's own tokens; that of a damaged model rises."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.models.render_chat import load_renderer
from scripts.score_neutral import main

pytestmark = pytest.mark.training_environment

PROMPT = {"date": "2020-02-02", "reasoning_effort": "medium"}
SETTINGS = {
    "infer": {"gpus": 0, "torch_dtype": "float32", "attn_impl": "eager"},
    **{"dpo": {"experts_impl": None}, "evaluate": {"batch_size": 2}, "prompt": PROMPT},
}
PASSAGES = [
    {"id": f"p{n}", "messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": text}]}
    for n, text in enumerate(["Save", "Save it, and save it again", "Please save!"])
]
HEAD = "lm_head.weight"


@pytest.fixture
def score(tmp_path):
    """Return a function that scores the passages under a model and returns the rows."""

    def run(model: Path) -> list[dict]:
        write_json_lines(tmp_path / "passages.jsonl", PASSAGES)
        files = {"passages": tmp_path / "passages.jsonl", "scores": tmp_path / "scores.jsonl", "model": model}
        main(
            ["--settings", json.dumps(SETTINGS), *(word for name in files for word in (f"--{name}", str(files[name])))]
        )
        return read_json_lines(tmp_path / "scores.jsonl")

    return run


@pytest.fixture
def damage(built, tmp_path):
    """Return a function that writes the model with a change of its last weights, and returns its folder."""

    def write(change) -> Path:
        shutil.copytree(built[0], tmp_path / "damaged")
        weights = load_file(tmp_path / "damaged" / "model.safetensors")
        weights[HEAD] = change(weights[HEAD])
        save_file(weights, tmp_path / "damaged" / "model.safetensors", metadata={"format": "pt"})
        write_manifest(tmp_path / "damaged", tmp_path / "damaged.sha256")
        return tmp_path / "damaged"

    return write


def loss(rows: list[dict]) -> float:
    """Return the loss in nats a token."""
    return -sum(row["logp"] for row in rows) / sum(row["tokens"] for row in rows)


@torch.no_grad()
def test_the_tokens_of_the_text_alone_count(built, score):
    model = AutoModelForCausalLM.from_pretrained(built[0], dtype=torch.float32)
    tokenizer, render = AutoTokenizer.from_pretrained(built[0]), load_renderer(built[0], PROMPT)
    for row, passage in zip(score(built[0]), PASSAGES, strict=True):
        ids, _ = render(passage)
        own = tokenizer(passage["messages"][-1]["content"], add_special_tokens=False)["input_ids"]
        assert ids[-len(own) - 1 : -1] == own and row["tokens"] == len(own)
        logps = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        plain = sum(logps[len(ids) - len(own) - 2 + n, token] for n, token in enumerate(own))
        assert row["logp"] == pytest.approx(float(plain), abs=5e-4)


def test_the_same_model_has_the_same_bytes(built, score, tmp_path):
    score(built[0])
    first = (tmp_path / "scores.jsonl").read_bytes()
    score(built[1])
    assert (tmp_path / "scores.jsonl").read_bytes() == first


def test_the_loss_of_a_model_with_noise_on_its_weights_rises_by_more_than_a_tenth(built, score, damage):
    torch.manual_seed(1)
    noisy = damage(lambda weight: weight + torch.randn_like(weight) * weight.float().std() * 20)
    assert loss(score(noisy)) > loss(score(built[0])) + 0.1


def test_a_model_whose_log_probabilities_are_no_numbers_is_named(score, damage):
    broken = damage(lambda weight: weight * float("nan"))
    with pytest.raises(SystemExit, match=r"damaged: the log-probability of p0 is nan; train it again"):
        score(broken)
