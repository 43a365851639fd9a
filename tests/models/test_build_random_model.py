"""build_random_model.py: a gpt-oss of any size with random weights, written a layer at a time."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_weights import is_packed_folder, read_tensors
from pipeline.models.mxfp4 import dequantise
from pipeline.models.packed_experts import keep_packed
from scripts.build_random_model import main
from tests.support.training_fixtures import SHAPE

pytestmark = pytest.mark.training_environment

LARGE = SHAPE | {"vocab_size": 3000, "hidden_size": 32, "intermediate_size": 64}


@pytest.fixture(scope="module")
def random_model(built, tmp_path_factory):
    """Return a function that builds a model in a number of processes, and returns its folder."""

    def build(processes: int):
        folder = tmp_path_factory.mktemp("random") / "model"
        settings = json.dumps({"model": {"tiny": LARGE}})
        words = ["--settings", settings, "--processes", str(processes), "--folder", str(folder)]
        main([str(built[0].parents[1] / "train.jsonl"), *words])
        return folder

    return build


@pytest.fixture(scope="module")
def folder(random_model):
    """Return the folder of a model."""
    return random_model(1)


def test_it_is_a_model_that_check_model_takes_with_packed_experts(folder):
    assert find_model_problem(folder) is None
    assert is_packed_folder(folder)


def test_every_weight_is_there_and_has_its_place(folder):
    keep_packed()
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert model.config.num_hidden_layers == SHAPE["layers"]


def test_experts_are_as_large_as_other_matrices_and_all_codes_are_equally_likely(folder):
    name = "model.layers.0.mlp.experts.gate_up_proj"
    tensors = load_file(read_tensors(folder)[f"{name}_blocks"].file)
    blocks, scales = tensors[f"{name}_blocks"], tensors[f"{name}_scales"]
    assert float(dequantise(blocks, scales).float().std()) == pytest.approx(0.0229, rel=0.02)
    codes = torch.bincount(torch.cat([blocks.flatten() % 16, blocks.flatten() // 16]), minlength=16)
    assert float(codes.min() / codes.max()) > 0.8


def test_matrices_are_normally_distributed_and_norms_are_one(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    drawn = torch.cat(
        [weight.flatten() for name, weight in model.named_parameters() if name.endswith("embed_tokens.weight")]
    )
    assert float(drawn.detach().std()) == pytest.approx(0.02, rel=0.02)
    within = float((drawn.abs() < 0.02).float().mean())
    assert within == pytest.approx(0.6827, abs=0.01)  # of a normal distribution, one standard deviation around its mean
    assert all((weight == 1).all() for name, weight in model.named_parameters() if "norm" in name)


def test_no_two_weights_are_the_same(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    layers = [layer.self_attn.q_proj.weight for layer in model.model.layers]
    assert not torch.equal(*layers[:2])


def test_the_bytes_do_not_depend_on_how_many_layers_are_drawn_at_once(folder, random_model):
    manifests = (path.with_name("model.sha256").read_text(encoding="utf-8") for path in (folder, random_model(2)))
    assert len(set(manifests)) == 1


def test_the_embeddings_have_the_size_asked_for_and_the_tokenizer_what_its_texts_need(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["vocab_size"] == 3000
    assert len(AutoTokenizer.from_pretrained(folder)) <= 2560
