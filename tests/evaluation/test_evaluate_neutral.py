"""evaluate_neutral.py: the loss on a neutral text under several models, and the gate on what was forgotten."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest

from pipeline.evaluation.resample import bootstrap, interval
from pipeline.files.json_lines import read_json_lines, write_json_lines
from scripts.evaluate_neutral import main
from tests.support.project import ROOT

NUMBER = 30
RESAMPLES, SEED, BOUND = 300, 5, 0.1
TOKENS = np.arange(10, 10 + NUMBER)
BASE = -np.random.default_rng(3).normal(30, 4, NUMBER).round(4)
RISES = np.random.default_rng(4).normal(0.08, 0.03, NUMBER)
TUNED = (BASE - TOKENS * RISES).round(4)


@pytest.fixture
def run(tmp_path):
    """Return a function that evaluates the log-probabilities of models, and returns the figures and the gate."""

    def evaluate(**models: np.ndarray) -> tuple[dict, dict]:
        for model, logps in models.items():
            rows = ({"id": f"p{i}", "tokens": int(TOKENS[i]), "logp": float(logps[i])} for i in range(NUMBER))
            write_json_lines(tmp_path / f"{model}.jsonl", rows)
        main([*(f"{model}={tmp_path}/{model}.jsonl" for model in models), *options(), "--out", str(tmp_path / "out")])
        (gate,) = json.loads((tmp_path / "out" / "neutral/gates.json").read_text("utf-8"))
        return json.loads((tmp_path / "out" / "neutral_metrics.json").read_text("utf-8")), gate

    return evaluate


def options() -> list[str]:
    """Return the settings."""
    settings = {"evaluate": {"resamples": RESAMPLES, "seed": SEED}, "gates": {"forgotten": BOUND}}
    return ["--settings", json.dumps(settings)]


def test_the_loss_is_that_of_all_tokens_with_passages_resampled(run):
    found, _ = run(base=BASE, dpo=TUNED)
    sums = bootstrap(np.stack([-TUNED, TOKENS], axis=1), RESAMPLES, SEED)
    low, high = interval(sums[:, 0] / sums[:, 1])
    figure = found["neutral"]["dpo"]["neutral_loss"]
    assert figure["value"] == pytest.approx(-TUNED.sum() / TOKENS.sum(), abs=1e-6)
    assert (figure["low"], figure["high"]) == pytest.approx((low, high), abs=1e-6)
    assert figure["n"] == NUMBER


def test_the_difference_is_paired(run):
    rise = run(base=BASE, dpo=TUNED)[0]["comparisons"]["dpo-base"]["neutral_loss"]
    assert rise["value"] == pytest.approx((BASE - TUNED).sum() / TOKENS.sum(), abs=1e-6)
    assert rise["high"] - rise["low"] < 0.03  # the losses themselves differ by more than ten times as much
    assert rise["p"] < 0.05


def test_models_are_compared_each_with_those_before(run):
    assert list(run(base=BASE, sft=BASE, dpo=TUNED)[0]["comparisons"]) == ["sft-base", "dpo-base", "dpo-sft"]


def test_an_untouched_model_stands_at_exactly_zero(run):
    found, gate = run(base=BASE, dpo=BASE)
    rise = found["comparisons"]["dpo-base"]["neutral_loss"]
    assert (rise["value"], rise["low"], rise["high"], rise["p"]) == (0, 0, 0, 1)
    assert (gate["gate"], gate["passed"]) == ("forgotten", True)


@pytest.mark.parametrize(("per_token", "passed"), [(-0.5, True), (0.099, True), (0.101, False)])
def test_a_loss_that_rose_by_more_than_the_bound_over_the_base_fails_the_gate_and_a_fall_does_not(
    run, per_token, passed
):
    _, gate = run(base=BASE, sft=BASE - 9 * TOKENS, dpo=BASE - per_token * TOKENS)
    assert gate["passed"] is passed
    assert gate["expected"] == "at most 0.1 nats a token above base"


def test_a_failed_gate_is_said_and_stops_nothing(run, capsys):
    run(base=BASE, dpo=BASE - TOKENS)
    assert "forgotten is 1 nats a token above, 95 % [1, 1], expected at most 0.1" in capsys.readouterr().out


def test_a_row_holds_the_loss_of_its_passage_under_each_model(run, tmp_path):
    run(base=BASE, dpo=TUNED)
    row = read_json_lines(tmp_path / "out" / "neutral.jsonl")[4]
    assert (row["id"], row["tokens"]) == ("p4", 14)
    assert row["loss"] == pytest.approx({"base": -BASE[4] / 14, "dpo": -TUNED[4] / 14}, abs=1e-6)


def test_the_command_of_a_figure_computes_it_again(run):
    found, _ = run(base=BASE, dpo=TUNED)
    _, *command = shlex.split(found["comparisons"]["dpo-base"]["neutral_loss"]["command"])
    again = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout) == found


def test_one_model_alone_is_refused(run):
    with pytest.raises(SystemExit, match=r"base: one model has nothing to be compared with"):
        run(base=BASE)


def test_scores_of_an_older_release_are_refused_in_one_line(run, tmp_path):
    run(base=BASE, dpo=TUNED)
    write_json_lines(tmp_path / "dpo.jsonl", [{"id": "p0", "logp": -1.0}])
    with pytest.raises(
        SystemExit, match=r"dpo\.jsonl:1: no tokens: an older release wrote these scores; delete it and"
    ):
        main([f"{model}={tmp_path}/{model}.jsonl" for model in ("base", "dpo")] + options())


def test_scores_of_other_passages_are_refused(run, tmp_path):
    run(base=BASE, dpo=TUNED)
    write_json_lines(tmp_path / "dpo.jsonl", [{"id": "other", "tokens": 1, "logp": -1.0}])
    with pytest.raises(SystemExit, match=r"dpo\.jsonl: not the passages of .*base\.jsonl; delete it and run again"):
        main([f"{model}={tmp_path}/{model}.jsonl" for model in ("base", "dpo")] + options())
