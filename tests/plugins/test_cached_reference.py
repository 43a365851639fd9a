"""plugins/fast/cached_reference.py: the name of a pair, what the reference is, and what is kept of it."""

import json
import runpy
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from swift.rlhf_trainers import DPOTrainer
from transformers import AutoModelForCausalLM

from pipeline.gates import GateError, read_gates
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
    for name, value in Contract(tmp_path, 1, 1, reference_folder=str(tmp_path / "kept" / "reference")).write().items():
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


@pytest.mark.parametrize(("own", "said"), [(None, 0), ("ref_adapter", 1)])
def test_the_reference_is_the_model_with_a_silent_adapter_if_it_has_none_of_its_own(plugin, own, said):
    adapter = torch.nn.ModuleDict({"lora_B": torch.nn.Linear(1, 1, bias=False)})
    torch.nn.init.ones_(adapter["lora_B"].weight)
    trainer = SimpleNamespace(
        model=torch.nn.ModuleDict({"q_proj": adapter}),
        ref_adapter_name=own,
        null_ref_context=nullcontext,
        concatenated_forward=lambda model, batch, is_ref_model: dict.fromkeys(
            ("chosen_logps", "rejected_logps"), adapter["lora_B"].weight.detach().clone()
        ),
    )
    assert plugin.compute_reference(trainer, {}) == (said, said)


@pytest.mark.parametrize("kept", [(-4.0, -5.0), (-3.0, -6.0)], ids=["chosen", "rejected"])
def test_a_kept_figure_that_is_off_stops_the_training(plugin, kept):
    with pytest.raises(GateError, match=r"kept_reference is 1\.0, expected within 0\.1 of what was kept"):
        plugin.judge_kept([((-3.0, -5.0), kept)], tokens=5)


@pytest.fixture
def trainer(monkeypatch) -> DPOTrainer:
    """Return a trainer to which a sequence is as likely as its tokens are few; `asked` is what it had to compute."""

    def forward(self: DPOTrainer, model: None, given: dict, is_ref_model: bool = False) -> dict[str, torch.Tensor]:
        self.asked.append("reference" if is_ref_model else "policy")
        assert sorted(given) == ["attention_mask", "input_ids", "labels"]
        chosen, rejected = (-given["input_ids"].sum(1).float()).split(len(given["input_ids"]) // 2)
        return {"chosen_logps": chosen, "rejected_logps": rejected}

    def loss(self: DPOTrainer, model: None, given: dict, side: str = "train") -> list:
        self.concatenated_forward(model, given)
        return [side, given["ref_chosen_logps"].tolist(), given["ref_rejected_logps"].tolist()]

    monkeypatch.setattr(DPOTrainer, "concatenated_forward", forward)
    monkeypatch.setattr(DPOTrainer, "get_batch_loss_metrics", loss)
    bare = DPOTrainer.__new__(DPOTrainer)
    bare.__dict__ |= {"asked": [], "ref_adapter_name": "ref_adapter", "null_ref_context": nullcontext}
    bare.__dict__ |= {"model": torch.nn.Identity(), "accelerator": SimpleNamespace(device="cpu")}
    bare.state = SimpleNamespace(global_step=0)
    return bare


KNOWN = ("train", [-6.0], [-7.0])  # of the one pair


def test_what_the_reference_says_of_a_pair_is_computed_once_and_then_known(trainer, plugin, tmp_path):
    assert trainer.get_batch_loss_metrics(None, batch(IDS, LABELS)) == list(KNOWN)
    trainer.state.global_step = 1
    assert trainer.get_batch_loss_metrics(None, batch(IDS, LABELS), side="eval") == ["eval", *KNOWN[1:]]
    assert trainer.asked == ["reference", "policy", "policy"]
    (name,) = plugin.name_pairs(batch(IDS, LABELS))
    kept = (tmp_path / "kept" / "reference" / "0.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in kept.splitlines()] == [[name, -6.0, -7.0]]


def test_a_pair_that_is_new_is_computed_at_any_step(trainer, plugin):
    trainer.state.global_step = 1
    trainer.get_batch_loss_metrics(None, batch(IDS, LABELS))
    assert trainer.asked == ["reference", "policy"]


@pytest.mark.parametrize(("trains", "computed"), [(True, ["reference", "policy"]), (False, ["policy"])])
def test_the_first_step_computes_what_is_kept_and_measuring_before_it_does_not(trainer, plugin, trains, computed):
    plugin.reference.keep(plugin.name_pairs(batch(IDS, LABELS)), [(-6.0, -7.0)])
    trainer.model.train(trains)
    trainer.get_batch_loss_metrics(None, batch(IDS, LABELS))
    assert trainer.asked == computed


@pytest.mark.parametrize(("off", "right"), [(0.07, True), (0.09, False)])
def test_the_first_step_allows_what_is_kept_to_be_off_by_rounding_of_each_token(trainer, plugin, tmp_path, off, right):
    plugin.reference.keep(plugin.name_pairs(batch(IDS, LABELS)), [(-6.0 - off, -7.0)])
    with nullcontext() if right else pytest.raises(GateError, match=r"kept_reference is 0\.09, expected within 0\.08"):
        trainer.get_batch_loss_metrics(None, batch(IDS, LABELS))
    assert read_gates(tmp_path / "gates.json")[0]["passed"] is right


def test_a_later_training_knows_what_every_process_kept_but_a_line_that_was_cut_off(plugin, tmp_path, monkeypatch):
    (tmp_path / "0.jsonl").write_text('["a", -1.0, -2.0]\n["b", -3.0', encoding="utf-8")
    (tmp_path / "1.jsonl").write_text('["c", -5.0, -6.0]\n', encoding="utf-8")
    monkeypatch.setenv("RANK", "1")
    reference = plugin.Reference(tmp_path)
    assert reference.kept == {"a": (-1.0, -2.0), "c": (-5.0, -6.0)}
    reference.keep(["a", "d"], [(-1.0, -2.0), (-7.0, -8.0)])
    assert (tmp_path / "1.jsonl").read_text(encoding="utf-8").endswith('["c", -5.0, -6.0]\n["d", -7.0, -8.0]\n')
