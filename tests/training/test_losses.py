"""Every loss is trained through ms-swift, and is what its formula says of log-probabilities taken apart from ms-swift.

A training of one step shows two losses. At step 1 the policy is the reference model. After it, the held-out loss is
that of an adapter which one long step has moved far from it.
"""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
import yaml

from pipeline.launch.contract import Contract
from pipeline.launch.run_swift import prompt_variables
from pipeline.models.swift_rows import write_swift_rows
from pipeline.preferences.rated_answers import rated_answers
from pipeline.settings.flags import swift_flags
from pipeline.training.first_loss import predict_first_loss
from tests.support.plain_forward import Answer, Pairs, score_pairs
from tests.support.project import ROOT
from tests.support.training_fixtures import SHAPE

# The trainers' own remarks: what SimPO with an NLL term is called, and that TRL's KTO has moved.
pytestmark = [
    pytest.mark.training_environment,
    pytest.mark.usefixtures("plugins_leave_no_trace"),
    pytest.mark.filterwarnings("ignore:You are using CPO-SimPO method:UserWarning"),
    pytest.mark.filterwarnings("ignore:The `KTO:FutureWarning"),
]

PROMPT = {"date": "2020-02-02", "reasoning_effort": "medium"}
PLUGINS = ("no_remote_code", "fp32_logps", "harmony", "count_rows")
SHORT_RUN = {
    "rpo_alpha": None,
    "deepspeed": None,
    "lora_dropout": 0.5,  # has no effect
    "num_train_epochs": 1,
    "learning_rate": 0.2,
    "lr_scheduler_type": "constant",
    "warmup_ratio": 0.0,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "eval_on_start": False,
    "dataset_shuffle": False,
}

# The chosen answers of training end alike, so that one step moves all margins; one held-out pair has them reversed.
TRAIN = [
    ("保存", "Save it now", "Please!"),
    ("关闭", "Close it now", "Do shut the thing"),
    ("打开", "Open it now", "?"),
]
HELD_OUT = [
    ("编辑", "Edit it now", "Nothing"),
    ("复制", "No", "Copy it now"),
    ("粘贴", "Paste it", "Put the text there"),
]
TURN = [{"role": "user", "content": "退出"}, {"role": "assistant", "content": "Quit now"}]


def pair(source: str, chosen: str, rejected: str, *, turn: list[dict] = TURN) -> dict:
    messages = [*turn, {"role": "user", "content": source}, {"role": "assistant", "content": chosen}]
    return {"messages": messages, "rejected_response": rejected}


def mean(values) -> float:
    return torch.stack(list(values)).mean().item()


def margins(pairs: Pairs) -> torch.Tensor:
    return torch.stack([chosen.ratio - rejected.ratio for chosen, rejected in pairs])


def nll(pairs: Pairs) -> float:
    """Return the mean over the tokens of all chosen answers."""
    return -torch.cat([chosen.policy for chosen, _ in pairs]).mean().item()


def dpo(pairs: Pairs, beta: float, flipped: float = 0.0) -> float:
    x = beta * margins(pairs)
    return (-(1 - flipped) * F.logsigmoid(x) - flipped * F.logsigmoid(-x)).mean().item()


def robust(pairs: Pairs, beta: float, flipped: float) -> float:
    x = beta * margins(pairs)
    return ((-(1 - flipped) * F.logsigmoid(x) + flipped * F.logsigmoid(-x)) / (1 - 2 * flipped)).mean().item()


def hinge(pairs: Pairs, beta: float) -> float:
    return (1 - beta * margins(pairs)).clamp(min=0).mean().item()


def ipo(pairs: Pairs, beta: float) -> float:
    per_token = [c.ratio / len(c.policy) - r.ratio / len(r.policy) for c, r in pairs]
    return mean((margin - 1 / (2 * beta)) ** 2 for margin in per_token)


def apo_zero(pairs: Pairs, beta: float) -> float:
    return mean(1 - torch.sigmoid(beta * c.ratio) + torch.sigmoid(beta * r.ratio) for c, r in pairs)


def sppo(pairs: Pairs, beta: float) -> float:
    return mean((c.ratio - 1 / (2 * beta)) ** 2 + (r.ratio + 1 / (2 * beta)) ** 2 for c, r in pairs)


def ld_dpo(pairs: Pairs, beta: float, alpha: float) -> float:
    def ratio(answer: Answer, shared: int) -> torch.Tensor:
        head, tail = answer.policy[:shared].sum(), answer.policy[shared:].sum()
        return head + alpha * tail - answer.ref.sum()

    lengths = [min(len(c.policy), len(r.policy)) for c, r in pairs]
    return mean(-F.logsigmoid(beta * (ratio(c, n) - ratio(r, n))) for (c, r), n in zip(pairs, lengths, strict=True))


def simpo(pairs: Pairs, beta: float, gamma: float, flipped: float) -> float:
    logits = [beta * (c.policy.mean() - r.policy.mean()) - gamma for c, r in pairs]
    return mean(-(1 - flipped) * F.logsigmoid(x) - flipped * F.logsigmoid(-x) for x in logits)


def cpo(pairs: Pairs, beta: float) -> float:
    return mean(-F.logsigmoid(beta * (c.policy.sum() - r.policy.sum())) for c, r in pairs)


def orpo(pairs: Pairs, beta: float) -> float:
    def odds(answer: Answer) -> torch.Tensor:
        p = answer.policy.double().mean().exp()
        return p / (1 - p)

    return nll(pairs) - beta * mean(F.logsigmoid(torch.log(odds(c) / odds(r))) for c, r in pairs)


def kto(pairs: Pairs, beta: float, desirable: float, undesirable: float) -> float:
    ((chosen, rejected),) = pairs  # with one pair in the batch, the answers that estimate the KL term are these two
    kl = ((chosen.ratio + rejected.ratio) / 2).clamp(min=0)
    kept = desirable * (1 - torch.sigmoid(beta * (chosen.ratio - kl)))
    return ((kept + undesirable * (1 - torch.sigmoid(beta * (kl - rejected.ratio)))) / 2).item()


def balance(pairs: Pairs) -> float:
    """Return the router's load-balancing loss: 1 where all experts are used alike, times the experts per token."""
    logits = torch.cat([answer.routing for both in pairs for answer in both])
    chosen = F.one_hot(logits.topk(SHAPE["experts_per_token"]).indices, SHAPE["experts"]).sum(1).float().mean(0)
    return (SHAPE["experts"] * (chosen * logits.softmax(-1).mean(0)).sum()).item()


class Case(NamedTuple):
    """What is trained, and its loss as a function of the pairs of a batch."""

    settings: dict
    loss: Callable[[Pairs], float]


MIXTURE = {"loss_type": ["sigmoid", "hinge", "ipo"], "loss_weights": [0.5, 2.0, 0.25], "beta": 0.4}
SIMPO = {"rlhf_type": "simpo", "loss_type": "simpo", "beta": 2.0, "simpo_gamma": 0.5, "cpo_alpha": 0.0}
KTO = {"rlhf_type": "kto", "loss_type": "kto", "beta": 0.3}
SINKS, RISES = ({"desirable_weight": w[0], "undesirable_weight": w[1]} for w in ((0.1, 3.0), (1.0, 1.5)))
CASES = {
    "sigmoid": Case({"beta": 0.3}, lambda p: dpo(p, 0.3)),
    "smoothed": Case({"beta": 0.3, "label_smoothing": 0.2}, lambda p: dpo(p, 0.3, 0.2)),
    "robust": Case({"loss_type": "robust", "beta": 0.3, "label_smoothing": 0.2}, lambda p: robust(p, 0.3, 0.2)),
    "hinge": Case({"loss_type": "hinge", "beta": 4.0}, lambda p: hinge(p, 4.0)),
    "ipo": Case({"loss_type": "ipo", "beta": 0.3}, lambda p: ipo(p, 0.3)),
    "apo_zero": Case({"loss_type": "apo_zero", "beta": 0.3}, lambda p: apo_zero(p, 0.3)),
    "sppo": Case({"loss_type": "sppo_hard", "beta": 0.3}, lambda p: sppo(p, 0.3)),
    "nll": Case({"rpo_alpha": 0.7, "beta": 0.3}, lambda p: dpo(p, 0.3) + 0.7 * nll(p)),
    "mixture": Case(MIXTURE, lambda p: 0.5 * dpo(p, 0.4) + 2 * hinge(p, 0.4) + 0.25 * ipo(p, 0.4)),
    "ld": Case({"ld_alpha": 0.3, "beta": 0.2}, lambda p: ld_dpo(p, 0.2, 0.3)),
    "router": Case({"router_aux_loss_coef": 0.6, "beta": 0.3}, lambda p: dpo(p, 0.3) + 0.6 * balance(p)),
    "all turns": Case({"loss_scale": "default", "rpo_alpha": 0.7}, lambda p: dpo(p, 0.1) + 0.7 * nll(p)),
    "simpo": Case(SIMPO, lambda p: simpo(p, 2.0, 0.5, 0.0)),
    "simpo and nll": Case(
        SIMPO | {"cpo_alpha": 0.3, "label_smoothing": 0.1}, lambda p: simpo(p, 2.0, 0.5, 0.1) + 0.3 * nll(p)
    ),
    "cpo": Case({"rlhf_type": "cpo", "cpo_alpha": 0.5, "beta": 0.2}, lambda p: cpo(p, 0.2) + 0.5 * nll(p)),
    "orpo": Case({"rlhf_type": "orpo", "loss_type": None, "beta": 0.4}, lambda p: orpo(p, 0.4)),
    "kto": Case(KTO | SINKS, lambda p: kto(p, 0.3, 0.1, 3.0)),
    "kto above 0": Case(KTO | RISES | {"learning_rate": 0.05}, lambda p: kto(p, 0.3, 1.0, 1.5)),
}


class Trained(NamedTuple):
    """What a training logged at its step and after it, and its pairs' log-probabilities before and after."""

    settings: dict
    first: dict
    held_out: dict
    before: Pairs
    after: Pairs


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Compute with one thread: on a model of this size, more only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run_training(model: Path, folder: Path, settings: dict, sides: list[Path]) -> tuple[dict, dict]:
    """Train as train_dpo.py does, but in this process and without DeepSpeed; return both rows of the curves."""
    from swift import rlhf_main

    arguments = ["--model", str(model), "--dataset", str(sides[0]), "--val_dataset", str(sides[1])]
    arguments += [*shlex.split(swift_flags(settings)), "--output_dir", str(folder), "--add_version", "false"]
    arguments += ["--check_model", "false", "--use_cpu", "true", "--report_to", "none", "--strict", "true"]
    arguments += ["--callbacks", "count_rows", "--external_plugins", *(f"plugins/{name}.py" for name in PLUGINS)]
    rlhf_main(arguments)
    rows = [json.loads(line) for line in (folder / "logging.jsonl").read_text(encoding="utf-8").splitlines()]
    return next(row for row in rows if "loss" in row), [row for row in rows if "eval_loss" in row][-1]


def write_sides(folder: Path, kind: str) -> tuple[list[list[dict]], list[Path]]:
    """Write both sides as the trainer reads them; return their pairs, and the files. For KTO a pair is a batch."""
    count = 1 if kind == "kto" else len(TRAIN)
    sides = [[pair(*texts) for texts in side[:count]] for side in (TRAIN, HELD_OUT)]
    files = [folder / f"{name}.jsonl" for name in ("train", "val")]
    for file, pairs in zip(files, sides, strict=True):
        write_swift_rows(file, [row for pair in pairs for row in rated_answers(pair)] if kind == "kto" else pairs)
    return sides, files


def train(model: Path, folder: Path, changed: dict) -> Trained:
    settings = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["dpo"] | SHORT_RUN | changed
    (seen, unseen), files = write_sides(folder, settings["rlhf_type"])
    with pytest.MonkeyPatch.context() as environment:
        for name, value in prompt_variables(PROMPT).items():
            environment.setenv(name, value)
        rows = (len(file.read_text(encoding="utf-8").splitlines()) for file in files)
        for name, value in Contract(folder, *rows).write().items():
            environment.setenv(name, value)
        first, held_out = run_training(model, folder / "checkpoints", settings, files)
    before = score_pairs(model, None, seen, PROMPT, settings["loss_scale"])
    after = score_pairs(model, folder / "checkpoints" / "checkpoint-1", unseen, PROMPT, settings["loss_scale"])
    return Trained(settings, first, held_out, before, after)


@pytest.fixture(scope="module")
def trained(built, tmp_path_factory) -> Callable[[str], Trained]:
    """Return a function that trains a case of CASES, once."""
    done: dict[str, Trained] = {}

    def train_once(name: str) -> Trained:
        if name not in done:
            done[name] = train(built[0], tmp_path_factory.mktemp("run"), CASES[name].settings)
        return done[name]

    return train_once


def close_to(loss: float):
    return pytest.approx(loss, abs=5e-5, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_first_loss_is_the_formulas(trained, name):
    run = trained(name)
    assert run.first["loss"] == close_to(CASES[name].loss(run.before))


@pytest.mark.parametrize("name", CASES)
def test_the_held_out_loss_of_a_moved_policy_is_the_formulas(trained, name):
    run = trained(name)
    assert run.held_out["eval_loss"] == close_to(CASES[name].loss(run.after))


@pytest.mark.parametrize("name", CASES)
def test_the_first_loss_is_predicted_from_what_the_step_logs_or_not_at_all(trained, name):
    run = trained(name)
    predicted = predict_first_loss(run.settings, run.first)
    if name in ("ld", "simpo", "simpo and nll", "cpo", "kto", "kto above 0"):
        assert predicted is None
    else:
        assert run.first["loss"] == close_to(predicted)


def test_the_moved_policy_puts_pairs_on_both_sides_of_hinges_corner_and_of_zero(trained):
    moved = 4.0 * margins(trained("hinge").after)
    assert moved.min() < 0
    assert moved.max() > 1


def test_ktos_estimate_of_the_divergence_is_met_at_zero_and_above(trained):
    assert trained("kto").held_out["eval_kl"] == 0
    assert trained("kto above 0").held_out["eval_kl"] > 0.01


def test_dropout_of_the_lora_has_no_effect(trained, built, tmp_path):
    undropped = train(built[0], tmp_path, CASES["sigmoid"].settings | {"lora_dropout": 0.0})
    assert undropped.held_out["eval_loss"] == trained("sigmoid").held_out["eval_loss"]


@pytest.mark.filterwarnings("ignore:PiSSA changes the base weights:UserWarning")
def test_pissa_makes_another_model_the_reference(built, tmp_path):
    pissa = train(built[0], tmp_path, {"init_weights": "pissa"})
    assert pissa.first["rewards/margins"] != 0
    assert abs(pissa.first["loss"] - dpo(pissa.before, 0.1)) > 1e-4
