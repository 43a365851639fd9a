"""packed_experts_lora.py: an adapter of packed experts does what peft's own does over dequantised experts."""

import pytest
import torch
import torch._dynamo
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from pipeline.models.packed_experts import keep_packed, multiply
from pipeline.models.packed_experts_lora import read_update

pytestmark = pytest.mark.training_environment

EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
IDS = torch.randint(0, 50, (2, 40), generator=torch.Generator().manual_seed(1))
ROUNDING = 1e-5  # of sums in float32


def load(folder, dtype=torch.float32, experts="grouped_mm"):
    keep_packed()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, experts_implementation=experts)


def tune(model, rank=2, **changed):
    """Return a model with an adapter of its experts and of its attention, as it is before the first step."""
    torch.manual_seed(0)
    parts = {"target_modules": ["q_proj"], "target_parameters": EXPERTS}
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=8, **parts, **changed))


def both(packed_and_plain, **changed):
    """Return the packed model and the dequantised one, each with the same adapter."""
    return [move(tune(load(folder), **changed)) for folder in packed_and_plain]


def trained(model):
    """Return the trained weights of a model, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def move(model, adapter="default"):
    """Return a model whose adapter adds something, as after some steps."""
    random = torch.Generator().manual_seed(len(adapter))
    for name, weight in model.named_parameters():
        if f".lora_B.{adapter}." in name:
            weight.data = torch.randn(weight.shape, generator=random).to(weight.dtype) * 0.05
    return model


def read_logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def distance(one, other):
    """Return the norm of the difference as a share of the other's."""
    return float((one - other).detach().float().norm() / other.detach().float().norm())


def step(model):
    """Return the logits, and the gradients of a step, by name."""
    output = model(input_ids=IDS, labels=IDS)
    output.loss.backward()
    return {"logits": output.logits} | {name: weight.grad for name, weight in trained(model).items()}


@pytest.mark.parametrize("changed", [{}, {"use_rslora": True}, {"init_lora_weights": "gaussian"}])
def test_it_begins_as_over_dequantised_experts_bit_for_bit(packed_and_plain, changed):
    ours, theirs = (trained(tune(load(folder), **changed)) for folder in packed_and_plain)
    assert list(ours) == list(theirs)
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


def test_before_the_first_step_it_adds_nothing(packed_and_plain):
    assert torch.equal(read_logits(tune(load(packed_and_plain[0]))), read_logits(load(packed_and_plain[0])))


@pytest.mark.parametrize("experts", ["eager", "grouped_mm"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_logits_and_gradients_are_those_of_the_written_out_sum(packed_and_plain, experts, checkpointing):
    packed, plain = (move(tune(load(folder, experts=experts))) for folder in packed_and_plain)
    for model in (packed, plain) if checkpointing else ():
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    ours, theirs = step(packed.train()), step(plain.train())
    assert {name for name in theirs if distance(ours[name], theirs[name]) > ROUNDING} == set()
    assert all(value.abs().max() > 0 for value in theirs.values())


@pytest.mark.parametrize("experts", ["eager", "grouped_mm"])
def test_in_bfloat16_a_layer_is_as_near_to_float32_as_with_the_written_out_sum(packed_and_plain, experts):
    exact = layer_step(load_experts(packed_and_plain[1], torch.float32, experts))
    ours, theirs = (layer_step(load_experts(folder, torch.bfloat16, experts)) for folder in packed_and_plain)
    apart = [sum(distance(one[name], exact[name]) for name in exact) for one in (ours, theirs)]
    assert 0 < apart[0] < 1.05 * apart[1]


def load_experts(folder, dtype, experts="grouped_mm", rank=8):
    """Return the experts of a layer, with an adapter that adds something."""
    return move(tune(load(folder, dtype, experts), rank)).get_base_model().model.layers[0].mlp.experts


def layer_step(layer):
    """Return the output of a layer for random states, and the gradients, in its type, as ms-swift trains it."""
    random, dtype = torch.Generator().manual_seed(1), next(layer.get_base_layer().parameters()).dtype
    states, weights, gradient = (torch.randn(400, n, generator=random).bfloat16() for n in (64, 2, 64))
    chosen = torch.rand(400, 4, generator=random).topk(2).indices
    states = states.to(dtype).requires_grad_()
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        made = layer(states, chosen, weights.to(dtype))
        made.backward(gradient.to(dtype))
    return {name: one.grad for name, one in trained(layer).items()} | {"made": made, "states": states.grad}


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch._dynamo
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")  # transformers
def test_a_layer_is_one_graph_for_torch_s_compiler_and_makes_the_same(packed_and_plain):
    layer = load_experts(packed_and_plain[0], torch.bfloat16)
    expected = layer_step(layer)
    layer.compile(dynamic=False, fullgraph=True, backend="aot_eager")
    found = layer_step(layer)
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


def test_a_compiled_layer_finds_the_factors_in_memory_as_its_products_ask(packed_and_plain, compiler):
    layer, random = load_experts(packed_and_plain[0], torch.bfloat16, rank=2), torch.Generator().manual_seed(1)
    states, ends = torch.randn(40, 32, generator=random).bfloat16(), torch.tensor([10, 10, 25, 40], dtype=torch.int32)

    def multiply_twice():
        down, up = read_update(layer, "default")
        return multiply(multiply(states, down, ends), up, ends)

    with torch.no_grad():
        assert torch.equal(torch.compile(multiply_twice)(), multiply_twice())
    torch._dynamo.reset()


def test_no_weights_of_all_experts_are_kept_for_the_backward_pass(packed_and_plain):
    model, shapes = tune(load(packed_and_plain[0])), []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: shapes.append(one.shape) or one, lambda one: one):
        model(input_ids=IDS, labels=IDS)
    weights = {name: load(packed_and_plain[1]).get_parameter(f"model.layers.0.{name}").shape for name in EXPERTS}
    assert shapes and not {*weights.values()} & {*shapes}


def test_its_files_are_those_that_peft_writes_over_dequantised_experts(packed_and_plain, tmp_path):
    written = []
    for name, model in zip(("packed", "plain"), both(packed_and_plain), strict=True):
        model.peft_config["default"].base_model_name_or_path = "model"
        model.save_pretrained(tmp_path / name, save_embedding_layers=False)
        files = ("adapter_config.json", "adapter_model.safetensors")
        written.append([(tmp_path / name / file).read_bytes() for file in files])
    assert written[0] == written[1]


@pytest.mark.parametrize("sparing", [False, True])
def test_a_saved_adapter_is_loaded_onto_packed_experts(packed_and_plain, tmp_path, sparing):
    model = both(packed_and_plain)[0]
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(load(packed_and_plain[0]), tmp_path, low_cpu_mem_usage=sparing)
    assert torch.equal(read_logits(loaded), read_logits(model))


def test_an_adapter_that_is_off_adds_nothing(packed_and_plain):
    model = both(packed_and_plain)[0]
    with model.disable_adapter():
        assert torch.equal(read_logits(model), read_logits(load(packed_and_plain[0])))
    assert distance(read_logits(model), read_logits(load(packed_and_plain[0]))) > 0.01


def test_of_several_adapters_those_add_that_are_on(packed_and_plain):
    pair = both(packed_and_plain, use_rslora=True)
    for model in pair:
        torch.manual_seed(1)
        model.add_adapter("reference", LoraConfig(r=4, target_modules=["q_proj"], target_parameters=EXPERTS))
        move(model, "reference")
    first = read_logits(pair[0])
    assert distance(first, read_logits(pair[1])) < ROUNDING
    for active in ("reference", ["default", "reference"]):
        for model in pair:
            model.base_model.set_adapter(active)
        assert distance(read_logits(pair[0]), read_logits(pair[1])) < ROUNDING
        assert distance(read_logits(pair[0]), first) > 0.01


@pytest.mark.parametrize("target", EXPERTS)
def test_an_adapter_of_one_of_the_two_weights_is_as_over_dequantised_experts(packed_and_plain, target):
    parts = {"target_modules": [], "target_parameters": [target]}
    ours, theirs = (move(get_peft_model(load(folder), LoraConfig(r=2, **parts))) for folder in packed_and_plain)
    assert list(trained(ours)) == list(trained(theirs))
    theirs.load_state_dict(trained(ours), strict=False)
    assert distance(read_logits(ours), read_logits(theirs)) < ROUNDING


def test_an_adapter_over_a_model_that_came_in_bfloat16_is_peft_s_own(packed_and_plain):
    model = both(packed_and_plain)[1]
    merged = tune(load(packed_and_plain[1]))
    merged.load_state_dict(model.state_dict())
    assert distance(read_logits(model), read_logits(merged.merge_and_unload())) < ROUNDING


def test_generation_on_a_gpu_whose_product_is_by_token_sees_the_adapter_too(packed_and_plain):
    few = IDS[:1, :1]  # fewer choices of an expert than there are experts
    by_token, grouped = (move(tune(load(packed_and_plain[0], experts=name))) for name in ("batched_mm", "grouped_mm"))
    with torch.no_grad():
        assert distance(by_token(input_ids=few).logits, grouped(input_ids=few).logits) < ROUNDING
