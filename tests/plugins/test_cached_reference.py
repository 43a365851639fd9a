"""plugins/fast/cached_reference.py: the name of a pair, the adapter that is silent, and a kept figure that is off."""

import runpy
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from pipeline.gates import GateError
from pipeline.launch.contract import Contract

pytestmark = [pytest.mark.training_environment, pytest.mark.usefixtures("plugins_leave_no_trace")]

# One pair: a token of the prompt, and two of each answer.
IDS = [[1, 2, 3], [1, 2, 4]]
LABELS = [[-100, 2, 3], [-100, 2, 4]]
CHANGES = {
    "tokens of the chosen answer": ([[1, 2, 5], [1, 2, 4]], LABELS),
    "tokens of the rejected answer": ([[1, 2, 3], [1, 2, 5]], LABELS),
    "which chosen tokens count": (IDS, [[-100, -100, 3], [-100, 2, 4]]),
    "which rejected tokens count": (IDS, [[-100, 2, 3], [-100, -100, 4]]),
}


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> SimpleNamespace:
    """Return the functions of the plugin, loaded under a contract."""
    for name, value in Contract(tmp_path, 1, 1, reference_folder=str(tmp_path / "reference")).write().items():
        monkeypatch.setenv(name, value)
    return SimpleNamespace(**runpy.run_path("plugins/fast/cached_reference.py"))


def batch(ids: list[list[int]], labels: list[list[int]], padding: int = 0) -> dict[str, torch.Tensor]:
    """Return a batch as the trainer has it, with padding behind each sequence."""
    columns = {"input_ids": (ids, 99), "labels": (labels, -100), "attention_mask": ([[1] * len(r) for r in ids], 0)}
    return {name: torch.tensor([row + [fill] * padding for row in rows]) for name, (rows, fill) in columns.items()}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_a_pair_that_differs_in_one_thing_has_another_name(plugin, changed):
    assert plugin.name_pairs(batch(*changed)) != plugin.name_pairs(batch(IDS, LABELS))


def test_a_pair_has_one_name_whatever_it_is_padded_to(plugin):
    assert plugin.name_pairs(batch(IDS, LABELS, padding=2)) == plugin.name_pairs(batch(IDS, LABELS))


@torch.no_grad()
def test_a_silent_adapter_adds_nothing_and_is_itself_again_afterwards(plugin, built):
    model, ids = AutoModelForCausalLM.from_pretrained(built[0]), torch.arange(1, 9)[None]
    plain = model(ids).logits
    parts = {"target_modules": ["q_proj", "v_proj"], "target_parameters": ["mlp.experts.down_proj"]}
    policy = get_peft_model(model, LoraConfig(r=4, init_lora_weights=False, **parts))
    tuned = policy(ids).logits
    with plugin.silent_adapter(policy):
        assert torch.equal(policy(ids).logits, plain)
    assert torch.equal(policy(ids).logits, tuned) and not torch.equal(tuned, plain)


@pytest.mark.parametrize("kept", [(-4.0, -5.0), (-3.0, -6.0)], ids=["chosen", "rejected"])
def test_a_kept_figure_that_is_off_stops_the_training(plugin, kept):
    with pytest.raises(GateError, match=r"kept_reference is 1\.0, expected within 0\.1 of what was kept"):
        plugin.judge_kept([((-3.0, -5.0), kept)], tokens=5)
