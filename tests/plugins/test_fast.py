"""plugins/fast/: trainings through ms-swift with each lever and without any, which log and learn the same."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from safetensors.torch import load_file

from pipeline.gates import GateError
from pipeline.launch.contract import Contract
from pipeline.launch.plugins import LEVERS
from pipeline.settings.flags import swift_flags
from tests.support.project import ROOT

pytestmark = [pytest.mark.training_environment, pytest.mark.usefixtures("plugins_leave_no_trace")]

DATE = "2020-02-02"
SETTINGS = {
    "deepspeed": None,
    "rpo_alpha": None,
    "lora_dropout": 0.0,
    "num_train_epochs": 2,
    "learning_rate": 0.02,
    "per_device_train_batch_size": 3,
    "per_device_eval_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "logging_steps": 1,
    "save_strategy": "epoch",
}
# Of different lengths, with answers that begin alike, that are the same at first and then end, and one turn before.
PAIRS = [
    ("保存", "Save it now", "Save the file to disk"),
    ("关闭", "Close it now", "Do shut the thing"),
    ("打开并保存所有文件", "Open it now, and save all", "Open"),
    ("退出", "Quit", "Quit it and leave, now and for all"),
    ("编辑", "Edit it", "?"),
    ("复制", "No", "Copy it now"),
]
CASES = {
    "sigmoid": {},
    "mixture": {"loss_type": ["sigmoid", "hinge"], "loss_weights": [0.5, 2.0], "rpo_alpha": 0.7, "ld_alpha": 0.3},
    "checkpointing": {"loss_type": "ipo", "loss_scale": "default", "gradient_checkpointing": True},
    "experts": {
        "experts_impl": "grouped_mm",
        "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
    },
}


# Compiling takes most of the time, and each way in which the layers run counts.
BRIEF = {"experts_impl": "grouped_mm", "eval_strategy": "no", "eval_on_start": False, "per_device_train_batch_size": 6}


class Trained(NamedTuple):
    """What a training logged, a row a step, and the adapter that it ended with."""

    rows: list[dict[str, Any]]
    adapter: dict[str, torch.Tensor]


def write_pairs(path: Path) -> Path:
    turn = [{"role": "user", "content": "退出"}, {"role": "assistant", "content": "Quit now"}]
    with path.open("w", encoding="utf-8") as lines:
        for number, (source, chosen, rejected) in enumerate(PAIRS):
            prompt = [*turn[: 2 * (number % 2)], {"role": "user", "content": source}]
            messages = [*prompt, {"role": "assistant", "content": chosen}]
            lines.write(json.dumps({"messages": messages, "rejected_response": rejected}) + "\n")
    return path


@pytest.fixture
def train(built, tmp_path, monkeypatch) -> Callable[..., Trained]:
    """Return a function that trains with levers, in this process."""
    import runpy

    from swift import rlhf_main

    monkeypatch.setenv("PROMPT_DATE", DATE)
    monkeypatch.setenv("REASONING_EFFORT", "medium")
    contract = Contract(tmp_path, len(PAIRS), len(PAIRS), reference_folder=str(tmp_path / "reference"))
    for name, value in contract.write().items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend("plugins/fast")
    pairs = write_pairs(tmp_path / "pairs.jsonl")

    def train(*levers: str, **changed: Any) -> Trained:
        settings = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["dpo"] | SETTINGS | changed
        folder = tmp_path / f"training-{len(list(tmp_path.glob('training-*')))}"
        arguments = ["--model", str(built[0]), "--dataset", str(pairs)]
        arguments += ["--val_dataset", str(pairs)] if settings["eval_strategy"] != "no" else []
        arguments += [*shlex.split(swift_flags(settings)), "--output_dir", str(folder), "--add_version", "false"]
        arguments += ["--check_model", "false", "--use_cpu", "true", "--report_to", "none", "--strict", "true"]
        for plugin in ("fp32_logps", *(f"fast/{lever}" for lever in levers)):
            runpy.run_path(f"plugins/{plugin}.py")
        rlhf_main([*arguments, "--external_plugins", "plugins/no_remote_code.py", "plugins/harmony.py"])
        lines = (folder / "logging.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(json.loads, lines) if "loss" in row or "eval_loss" in row]
        last = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        return Trained(rows, load_file(last / "adapter_model.safetensors"))

    return train


MEASURED = ("loss", "grad_norm", "rewards/", "logps", "logits/", "nll_loss")


def figures(rows: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k.removeprefix("eval_").startswith(MEASURED)} for row in rows]


def assert_same(fast: Trained, plain: Trained) -> None:
    """Fail if two trainings logged other figures, or ended with other adapters; float32 rounds the sums."""
    for ours, theirs in zip(figures(fast.rows), figures(plain.rows), strict=True):
        assert ours == pytest.approx(theirs, rel=2e-3, abs=2e-4)
    for name, weight in plain.adapter.items():
        torch.testing.assert_close(fast.adapter[name], weight, rtol=2e-3, atol=2e-4)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True:UserWarning")  # held-out pairs
@pytest.mark.parametrize("case", CASES)
def test_packed_pairs_learn_the_same(train, case):
    plain = train(**CASES[case])
    assert_same(train("packed_pairs", **CASES[case]), plain)


def plain_logps(states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = states @ weight.T
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return -torch.nn.functional.cross_entropy(wide, targets, reduction="none")


@pytest.mark.parametrize("sharpness", [0.1, 0.5], ids=["unsure", "sure"])
def test_log_probabilities_and_their_gradients_are_no_further_from_float64_than_bfloat16s_own(monkeypatch, sharpness):
    import runpy

    monkeypatch.syspath_prepend("plugins/fast")
    fast_logps = runpy.run_path("plugins/fast/packed_pairs.py")["token_logps"]
    torch.manual_seed(0)
    states, weight, factors = torch.randn(1100, 64), sharpness * torch.randn(300, 64), torch.randn(1100)
    targets = torch.where(torch.rand(1100) < 0.5, (states @ weight.T).argmax(-1), torch.randint(300, (1100,)))

    def compute(logps: Callable[..., torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
        own = states.bfloat16().to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = logps(own, weight.bfloat16().to(dtype), targets)
        (found * factors.to(found.dtype)).sum().backward()
        return [found.detach().double(), own.grad.double()]

    exact = compute(plain_logps, torch.float64)
    plain, fast = (compute(logps, torch.bfloat16) for logps in (plain_logps, fast_logps))
    for wanted, theirs, ours in zip(exact, plain, fast, strict=True):
        assert (ours - wanted).norm() <= 1.1 * (theirs - wanted).norm()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # torch._dynamo
@pytest.mark.ci("compiled layers that learn something else")
def test_compiled_layers_learn_the_same(train, compiler):
    plain = train(**BRIEF)
    fast = train(*LEVERS, **BRIEF)
    assert_same(fast, plain)
    assert fast.rows[0]["rewards/margins"] == 0


def test_a_kept_reference_is_computed_once_and_learns_the_same(train, monkeypatch):
    from swift.rlhf_trainers import DPOTrainer

    # The second batch is met after a step that moved the adapter.
    moved = {"eval_on_start": False, "warmup_ratio": 0.0}
    plain = train(**moved)
    computed = []
    forward = DPOTrainer.concatenated_forward

    def counted(*args, **kwargs):
        computed.append(kwargs)
        return forward(*args, **kwargs)

    monkeypatch.setattr(DPOTrainer, "concatenated_forward", counted)
    assert_same(train("cached_reference", **moved), plain)
    batches_of_an_epoch = 2
    assert computed.count({"is_ref_model": True}) == batches_of_an_epoch


def test_a_later_training_takes_what_was_kept_and_learns_the_same(train, tmp_path):
    first = train("cached_reference")
    kept = (tmp_path / "reference" / "0.jsonl").read_bytes()
    assert kept.count(b"\n") == len(PAIRS)
    assert_same(train("cached_reference"), first)
    assert (tmp_path / "reference" / "0.jsonl").read_bytes() == kept


def test_a_reference_that_says_something_else_than_was_kept_stops_the_training(train, tmp_path):
    train("cached_reference", max_steps=1)
    file = tmp_path / "reference" / "0.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("".join(json.dumps([name, one + 5, other]) + "\n" for name, one, other in rows), encoding="utf-8")
    with pytest.raises(GateError, match=r"kept_reference is 5\.0, expected within 0\.\d+ of what was kept"):
        train("cached_reference")


def test_a_line_that_was_cut_off_is_computed_anew(train, tmp_path):
    train("cached_reference", max_steps=1)
    file = tmp_path / "reference" / "0.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    train("cached_reference", max_steps=1)
    assert file.read_bytes() == whole
