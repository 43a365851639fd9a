"""packed_experts.py: a model over packed experts is the one over dequantised experts, bit for bit."""

import runpy
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from pipeline.files.json_files import read_json, write_json
from pipeline.models import packed_experts
from pipeline.models.model_weights import INDEX
from pipeline.models.packed_experts import PackedExperts, keep_packed

pytestmark = pytest.mark.training_environment

IDS = torch.randint(0, 50, (2, 40), generator=torch.Generator().manual_seed(1))


def load(folder, dtype=torch.float32, experts="grouped_mm"):
    """Return a model, with only its attention to train."""
    keep_packed()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, experts_implementation=experts)
    for name, weight in model.named_parameters():
        weight.requires_grad_("self_attn" in name)
    return model


def step(model):
    """Return the logits, and the gradients of a step, by name."""
    output = model(input_ids=IDS, labels=IDS)
    output.loss.backward()
    return output.logits, {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("experts", ["eager", "grouped_mm"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_logits_and_gradients_are_those_over_dequantised_experts_bit_for_bit(
    packed_and_plain, dtype, experts, checkpointing
):
    packed, plain = (load(folder, dtype, experts) for folder in packed_and_plain)
    for model in (packed, plain):
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
    (logits, gradients), (expected, others) = step(packed), step(plain)
    assert torch.equal(logits, expected)
    assert [name for name in others if not torch.equal(gradients[name], others[name])] == []


@pytest.mark.parametrize("at_once", [1, 3, 4])
def test_some_experts_at_a_time_give_the_same_numbers_as_all_at_once(packed_and_plain, monkeypatch, at_once):
    logits, gradients = step(load(packed_and_plain[0]))
    monkeypatch.setattr(packed_experts, "at_once", at_once)
    own, others = step(load(packed_and_plain[0]))
    assert torch.equal(logits, own)
    assert [name for name in others if not torch.equal(gradients[name], others[name])] == []


def test_experts_are_buffers_of_bytes_and_nothing_of_them_is_trained(packed_and_plain):
    model = load(packed_and_plain[0])
    experts = model.model.layers[0].mlp.experts
    assert isinstance(experts, PackedExperts)
    assert {name: buffer.dtype for name, buffer in experts.named_buffers()} == dict.fromkeys(
        ["gate_up_proj_blocks", "gate_up_proj_scales", "down_proj_blocks", "down_proj_scales"], torch.uint8
    )
    assert {name for name, _ in experts.named_parameters()} == {"gate_up_proj_bias", "down_proj_bias"}


def test_nothing_dequantised_is_kept_for_the_backward_pass(packed_and_plain):
    model, shapes = load(packed_and_plain[0]), []
    weights = load(packed_and_plain[1]).model.layers[0].mlp.experts.gate_up_proj.shape
    with torch.autograd.graph.saved_tensors_hooks(lambda one: shapes.append(one.shape) or one, lambda one: one):
        model(input_ids=IDS, labels=IDS)
    assert shapes and weights not in shapes


def test_a_model_that_came_in_bfloat16_is_loaded_as_ever(packed_and_plain):
    assert type(load(packed_and_plain[1]).model.layers[0].mlp.experts).__name__ == "GptOssExperts"


def test_a_checkpoint_of_the_model_has_everything_but_the_packed_experts(packed_and_plain):
    packed, plain = (load(folder).state_dict() for folder in packed_and_plain)
    assert plain.keys() - packed.keys() == {
        f"model.layers.{layer}.mlp.experts.{name}" for layer in (0, 1) for name in ("gate_up_proj", "down_proj")
    }
    assert packed.keys() <= plain.keys()


@pytest.mark.parametrize("first", ["whole_model", "packed_experts"])
def test_a_folder_that_lacks_packed_weights_is_refused_in_whatever_order_plugins_come(
    packed_and_plain, tmp_path, monkeypatch, first
):
    for name in ("_load_pretrained_model", "_finalize_model_loading"):
        monkeypatch.setattr(PreTrainedModel, name, PreTrainedModel.__dict__[name])
    for name in sorted(["whole_model", "packed_experts"], key=lambda name: name != first):
        runpy.run_path(f"plugins/{name}.py")
    shutil.copytree(packed_and_plain[0], tmp_path / "model")
    index = read_json(tmp_path / "model" / INDEX)
    del index["weight_map"]["model.layers.1.mlp.experts.down_proj_scales"]
    write_json(tmp_path / "model" / INDEX, index)
    for file in (tmp_path / "model").glob("*.safetensors"):
        weights = load_file(file)
        weights.pop("model.layers.1.mlp.experts.down_proj_scales", None)
        save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(RuntimeError, match=r"weights missing: 1 \(model\.layers\.1\.mlp\.experts\.down_proj_scales\)"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "model")


@pytest.mark.parametrize("words", [1, 20])  # fewer choices of an expert than there are experts, and more
def test_the_product_by_token_to_which_generation_turns_on_a_gpu_is_the_one_over_dequantised_experts(
    packed_and_plain, words
):
    packed, plain = (
        load(folder, experts="batched_mm")(input_ids=IDS[:1, :words]).logits for folder in packed_and_plain
    )
    assert torch.allclose(packed, plain, atol=1e-5)
