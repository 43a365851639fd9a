"""plugins/fast/packed_pairs.py: a batch in one row says what it says row by row; on a GPU its masks are the same."""

import runpy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from swift.rlhf_trainers import DPOTrainer
from torch.nn.attention.flex_attention import create_mask
from transformers import AutoModelForCausalLM

from plugins.fast.pair_layout import Layout, lay_out_pairs

pytestmark = [pytest.mark.training_environment, pytest.mark.usefixtures("plugins_leave_no_trace")]

# Two chosen sequences, and the rejected ones: three tokens of a prompt, and answers of different lengths.
ROWS = [[5, 6, 7, 8, 9, 10], [5, 6, 7, 11], [5, 6, 7, 8, 12], [5, 6, 7, 13, 14, 15, 16]]
PROMPT, LONGEST = 3, 7


@pytest.fixture
def plugin(monkeypatch) -> SimpleNamespace:
    """Return the functions of the plugin, none of them compiled."""
    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.syspath_prepend("plugins/fast")
    return SimpleNamespace(**runpy.run_path("plugins/fast/packed_pairs.py"))


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Return a batch as the trainer has it, with padding behind each sequence."""
    ids = torch.tensor([row + [0] * (LONGEST - len(row)) for row in ROWS])
    mask = torch.tensor([[1] * len(row) + [0] * (LONGEST - len(row)) for row in ROWS])
    counted = (mask > 0) & (torch.arange(LONGEST) >= PROMPT)
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(~counted, -100)}


@pytest.fixture
def layout(batch) -> Layout:
    """Return the batch in one row."""
    return lay_out_pairs(batch["input_ids"], batch["labels"], batch["attention_mask"], 0)


@pytest.fixture(scope="module")
def policy(built) -> Any:
    """Return a model with a LoRA that has weights."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(built[0], dtype=torch.float32, attn_implementation="eager")
    return get_peft_model(model, LoraConfig(r=2, init_lora_weights=False, target_modules=["q_proj", "v_proj"]))


def trainer_of(policy: Any, alpha: float | None) -> DPOTrainer:
    """Return ms-swift's trainer with no more than it needs for the forward pass of a batch."""
    trainer = DPOTrainer.__new__(DPOTrainer)
    trainer.__dict__ |= {"model": policy, "padding_value": 0, "label_pad_token_id": -100, "aux_loss_enabled": False}
    trainer.__dict__ |= {"is_encoder_decoder": False, "get_use_logits_to_keep": lambda default: False}
    trainer.args = SimpleNamespace(ld_alpha=alpha, rpo_alpha=1.0)
    trainer.template = SimpleNamespace(sequence_parallel_size=1, padding_free=False)
    trainer.accelerator = SimpleNamespace(device="cpu", unwrap_model=lambda model: model)
    return trainer


@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("reference", [False, True])
def test_a_batch_in_one_row_says_what_it_says_row_by_row(policy, batch, monkeypatch, alpha, reference):
    trainer = trainer_of(policy, alpha)
    theirs = trainer.concatenated_forward(policy, dict(batch), is_ref_model=reference)
    monkeypatch.syspath_prepend("plugins/fast")
    runpy.run_path("plugins/fast/packed_pairs.py")
    ours = trainer.concatenated_forward(policy, batch, is_ref_model=reference)
    for name, found in ours.items():
        torch.testing.assert_close(found, theirs[name].to(found.dtype), rtol=1e-4, atol=1e-4)
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("window", [2, 128])
def test_on_a_gpu_the_same_tokens_see_each_other(plugin, layout, window):
    length = layout.ids.shape[1]

    def masks(kind: str) -> dict[str, Any]:
        config = SimpleNamespace(sliding_window=window, _attn_implementation=kind)
        return plugin.attention_masks(layout, config, torch.bfloat16)

    for kind, blocks in masks("flex_attention").items():
        seen = create_mask(blocks.mask_mod, None, None, length, length, "cpu")
        assert torch.equal(masks("eager")[kind] == 0, seen)
        assert blocks.shape == (1, 1, length, length)
