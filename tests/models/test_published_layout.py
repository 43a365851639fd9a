"""published_layout.py: a small model in the layout of the published gpt-oss."""

import json

import pytest
import torch

from pipeline.models.model_folder import find_model_problem
from pipeline.models.mxfp4 import dequantise, quantise

pytestmark = pytest.mark.training_environment


@pytest.fixture(scope="module")
def model():
    """Return a small gpt-oss whose widths are whole blocks."""
    from transformers import GptOssConfig, GptOssForCausalLM

    torch.manual_seed(1)
    sizes = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 32, "num_local_experts": 4}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "num_experts_per_tok": 2}
    return GptOssForCausalLM(GptOssConfig(**sizes, **heads, vocab_size=300, architectures=["GptOssForCausalLM"]))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """Write it as the published one; return its folder."""
    from pipeline.models.published_layout import save_published

    folder = tmp_path_factory.mktemp("published")
    save_published(model, folder)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    return folder


def test_it_is_a_model_that_check_model_takes(folder):
    assert find_model_problem(folder) is None


def test_its_files_are_counted_from_0_and_the_index_names_them(folder):
    files = ["model-00000-of-00001.safetensors", "model-00001-of-00001.safetensors"]
    assert sorted(path.name for path in folder.glob("*.safetensors")) == files
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert sorted(set(index["weight_map"].values())) == files


def test_its_experts_are_packed_and_nothing_else(folder):
    from safetensors import safe_open

    kinds = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            kinds |= {name: weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    packed = {name for name, kind in kinds.items() if kind == "U8"}
    assert packed == {name for name in kinds if name.endswith(("_blocks", "_scales"))}
    assert {kinds[name] for name in set(kinds) - packed} == {"BF16"}


def test_transformers_reads_the_weights_that_packing_leaves(folder, model):
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).state_dict()
    for name, weight in model.state_dict().items():
        is_expert = name.endswith(("gate_up_proj", "down_proj"))
        expected = dequantise(*quantise(weight)) if is_expert else weight
        assert torch.equal(loaded[name], expected), name
