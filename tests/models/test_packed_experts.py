"""packed_experts.py: a model over packed experts is the one over dequantised experts, bit for bit."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.models.dequantised_folder import write_plain
from pipeline.models.packed_experts import PackedExperts, keep_packed
from tests.support.model_folders import write_model_folder

pytestmark = pytest.mark.training_environment

IDS = torch.randint(0, 50, (2, 40), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a packed model, and the same in bfloat16."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "plain").mkdir()
    write_plain(write_model_folder(folder / "packed"), folder / "plain")
    return folder / "packed", folder / "plain"


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
def test_logits_and_gradients_are_those_over_dequantised_experts_bit_for_bit(folders, dtype, experts, checkpointing):
    packed, plain = (load(folder, dtype, experts) for folder in folders)
    for model in (packed, plain):
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
    (logits, gradients), (expected, others) = step(packed), step(plain)
    assert torch.equal(logits, expected)
    assert [name for name in others if not torch.equal(gradients[name], others[name])] == []


def test_experts_are_buffers_of_bytes_and_nothing_of_them_is_trained(folders):
    model = load(folders[0])
    experts = model.model.layers[0].mlp.experts
    assert isinstance(experts, PackedExperts)
    assert {name: buffer.dtype for name, buffer in experts.named_buffers()} == dict.fromkeys(
        ["gate_up_proj_blocks", "gate_up_proj_scales", "down_proj_blocks", "down_proj_scales"], torch.uint8
    )
    assert {name for name, _ in experts.named_parameters()} == {"gate_up_proj_bias", "down_proj_bias"}


def test_nothing_dequantised_is_kept_for_the_backward_pass(folders):
    model, shapes = load(folders[0]), []
    weights = load(folders[1]).model.layers[0].mlp.experts.gate_up_proj.shape
    with torch.autograd.graph.saved_tensors_hooks(lambda one: shapes.append(one.shape) or one, lambda one: one):
        model(input_ids=IDS, labels=IDS)
    assert shapes and weights not in shapes


def test_a_model_that_came_in_bfloat16_is_loaded_as_ever(folders):
    assert type(load(folders[1]).model.layers[0].mlp.experts).__name__ == "GptOssExperts"


def test_it_is_saved_under_the_published_names(folders, tmp_path):
    load(folders[0], torch.bfloat16).save_pretrained(tmp_path)
    packed = load(folders[0], torch.bfloat16).state_dict()
    saved = load(tmp_path, torch.bfloat16).state_dict()
    assert [name for name in packed if not torch.equal(packed[name], saved[name])] == []
