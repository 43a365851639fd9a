"""plugins/small: less memory, the same numbers."""

import json
import runpy

import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.launch.contract import Contract
from pipeline.models import packed_experts

pytestmark = pytest.mark.training_environment


def test_the_number_of_experts_at_a_time_is_that_of_the_contract(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_experts, "at_once", None)
    for name, value in Contract(tmp_path, 0, 0, experts_at_once=4).write().items():
        monkeypatch.setenv(name, value)
    runpy.run_path("plugins/small/few_experts.py")
    assert packed_experts.at_once == 4


def test_embeddings_in_the_machines_memory_give_the_same_numbers(built, monkeypatch):
    from swift.trainers import SwiftMixin

    monkeypatch.setattr(SwiftMixin, "train", SwiftMixin.train)
    plugin = runpy.run_path("plugins/small/host_embeddings.py")
    model = AutoModelForCausalLM.from_pretrained(built[0])
    ids = torch.arange(20)[None]
    expected = model(input_ids=ids).logits
    plugin["move_embeddings"](model)
    assert torch.equal(model(input_ids=ids).logits, expected)


def test_what_a_training_is_told_of_memory_is_not_in_the_record_of_its_settings(tmp_path):
    few, all_of_them = (Contract(tmp_path, 0, 0, experts_at_once=number).record() for number in (4, None))
    assert json.dumps(few) == json.dumps(all_of_them)
