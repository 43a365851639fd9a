"""openai_server.py: the adapter of a request, and no other. test_serve_run.py asks over HTTP."""

from types import MethodType, SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from swift.infer_engine import AdapterRequest, TransformersEngine
from transformers import AutoModelForCausalLM

from pipeline.models.packed_experts import keep_packed
from pipeline.serving.openai_server import choose_adapter

pytestmark = pytest.mark.training_environment

EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
PARTS: dict[str, dict[str, Any]] = {
    "attention": {"target_modules": ["q_proj"]},
    "experts": {"target_modules": [], "target_parameters": EXPERTS},
}
IDS = torch.arange(1, 21)[None]


def load(folder) -> Any:
    """Return a model with packed experts."""
    keep_packed()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def read_logits(model: Any) -> torch.Tensor:
    """Return the logits of a model for some tokens."""
    with torch.no_grad():
        return model(input_ids=IDS).logits


def write_adapter(folder, target, **parts: Any) -> torch.Tensor:
    """Write an adapter that adds something; return the logits with it."""
    tuned = get_peft_model(load(folder), LoraConfig(r=2, lora_alpha=8, **parts))
    for number, (name, weight) in enumerate(tuned.named_parameters()):
        if ".lora_B." in name:
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
    tuned.save_pretrained(target)
    return read_logits(tuned.eval())


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_a_request_gets_its_own_model_whatever_the_one_before_it_got(built, tmp_path, parts):
    base, tuned = read_logits(load(built[0])), write_adapter(built[0], tmp_path / "adapter", **parts)
    assert not torch.equal(base, tuned)
    engine = SimpleNamespace(model=load(built[0]), own_name="base", _adapters_pool={})
    engine._add_adapter = MethodType(TransformersEngine._add_adapter, engine)
    said = []
    for request in (None, AdapterRequest("tuned", str(tmp_path / "adapter"))) * 2:
        choose_adapter(engine, request)
        said.append((engine.model_name, read_logits(engine.model)))
    assert [name for name, _ in said] == ["base", "tuned"] * 2
    assert [torch.equal(logits, own) for (_, logits), own in zip(said, [base, tuned] * 2, strict=True)] == [True] * 4
