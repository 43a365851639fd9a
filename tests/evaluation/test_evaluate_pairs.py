"""evaluate_pairs.py: rewards of held-out pairs under several models, compared with a few lines of arithmetic."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.resample import bootstrap, interval, sum_by_prompt
from scripts.evaluate_pairs import main
from tests.support.project import ROOT

NUMBER = 40
BETA = 0.2
RESAMPLES, SEED = 300, 5


def write_rows(path: Path, rows: list[dict]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def logps():
    """Return log-probabilities by model and side."""
    random = np.random.default_rng(5)
    base = {side: random.normal(-20, 4, NUMBER).round(4) for side in ("chosen", "rejected")}
    moved = {"chosen": random.normal(1, 3, NUMBER), "rejected": random.normal(-1, 3, NUMBER)}
    return {"base": base, "dpo": {side: (base[side] + moved[side]).round(4) for side in base}}


@pytest.fixture
def arguments(logps, tmp_path):
    """Write pairs, two of each prompt, and the scores of both models, of dpo in three shards."""
    pairs = [
        {
            "id": f"p{i}",
            "tag": ("tone", "terms")[i % 2],
            "messages": [{"role": "user", "content": str(i // 2)}, {"role": "assistant", "content": "a"}],
            "rejected_response": "b",
        }
        for i in range(NUMBER)
    ]
    scores = {
        model: [
            {"id": f"p{i}", "chosen_tokens": i + 1, "rejected_tokens": 3}
            | {f"{side}_logp": float(sides[side][i]) for side in sides}
            for i in range(NUMBER)
        ]
        for model, sides in logps.items()
    }
    base = write_rows(tmp_path / "base.jsonl", scores["base"])
    shards = [write_rows(tmp_path / f"dpo.{n}.jsonl", scores["dpo"][n::3]) for n in range(3)]
    words = [f"base={base}", f"dpo={','.join(map(str, shards))}", "--pairs", str(write_rows(tmp_path / "v", pairs))]
    settings = {"dpo": {"beta": BETA}, "evaluate": {"resamples": RESAMPLES, "seed": SEED}}
    return [*words, "--settings", json.dumps(settings), "--reference", "base"]


@pytest.fixture
def evaluated(arguments, tmp_path):
    """Return the figures, and the rows."""
    out = tmp_path / "evaluate"
    main([*arguments, "--out", str(out)])
    rows = [json.loads(line) for line in (out / "pairs.jsonl").read_text("utf-8").splitlines()]
    return json.loads((out / "pair_metrics.json").read_text("utf-8")) | {"rows": rows}


def margins(logps):
    """Return the reward margins, written out."""
    dpo, base = logps["dpo"], logps["base"]
    return BETA * ((dpo["chosen"] - base["chosen"]) - (dpo["rejected"] - base["rejected"]))


def test_every_figure_of_a_model_is_the_mean_of_its_values(evaluated, logps):
    chosen, rejected = logps["dpo"]["chosen"], logps["dpo"]["rejected"]
    figures = {name: figure["value"] for name, figure in evaluated["pairs"]["dpo"].items() if "value" in figure}
    assert figures == pytest.approx(
        {
            "chosen_logp": chosen.mean(),
            "rejected_logp": rejected.mean(),
            "preference_accuracy": (chosen > rejected).mean(),
            "reward_accuracy": (margins(logps) > 0).mean(),
            "reward_margin": margins(logps).mean(),
            "reward_chosen": BETA * (chosen - logps["base"]["chosen"]).mean(),
            "reward_rejected": BETA * (rejected - logps["base"]["rejected"]).mean(),
        },
        abs=1e-6,
    )


def test_a_row_holds_what_its_pair_was_given(evaluated, logps):
    row = evaluated["rows"][3]
    assert {name: row[name] for name in ("id", "tag", "chosen_tokens", "rejected_tokens")} == {
        "id": "p3", "tag": "terms", "chosen_tokens": 4, "rejected_tokens": 3,
    }  # fmt: skip
    for side in ("chosen", "rejected"):
        assert row[side] == {model: logps[model][side][3] for model in logps}


def test_every_row_has_the_reward_margin_of_each_model_but_the_reference(evaluated, logps):
    assert [list(row["reward_margin"]) for row in evaluated["rows"]] == [["dpo"]] * NUMBER
    assert [row["reward_margin"]["dpo"] for row in evaluated["rows"]] == pytest.approx(list(margins(logps)), abs=1e-6)


def test_pairs_of_a_prompt_are_drawn_together_as_often_as_the_settings_say_and_from_their_seed(evaluated, logps):
    sums = sum_by_prompt(np.stack([margins(logps), np.ones(NUMBER)], axis=1), np.arange(NUMBER) // 2)
    low, high = interval(np.divide(*bootstrap(sums, RESAMPLES, SEED).T))
    found = evaluated["pairs"]["dpo"]["reward_margin"]
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-6)


def test_the_reference_has_log_probabilities_and_no_rewards(evaluated, logps):
    found = evaluated["pairs"]["base"]
    assert found["chosen_logp"]["value"] == pytest.approx(logps["base"]["chosen"].mean(), abs=1e-6)
    assert "reward_margin" not in found and found["preference_accuracy"]["n"] == NUMBER


def test_groups_by_tag_have_their_own_pairs(evaluated, logps):
    groups = evaluated["pairs"]["dpo"]["by_tag"]
    assert {tag: group["reward_margin"]["n"] for tag, group in groups.items()} == {"terms": 20, "tone": 20}
    assert groups["tone"]["reward_margin"]["value"] == pytest.approx(margins(logps)[::2].mean(), abs=1e-6)


def test_groups_by_length_are_quarters_by_the_longer_answer(evaluated):
    groups = evaluated["pairs"]["dpo"]["by_length"]
    assert list(groups) == ["3 to 10 tokens", "11 to 20 tokens", "21 to 30 tokens", "31 to 40 tokens"]
    assert sum(group["reward_accuracy"]["n"] for group in groups.values()) == NUMBER


def test_models_are_compared_in_what_both_have(evaluated):
    assert set(evaluated["comparisons"]["dpo-base"]) == {"chosen_logp", "rejected_logp", "preference_accuracy"}


def test_the_command_of_a_figure_computes_it_again(evaluated):
    figure = evaluated["pairs"]["dpo"]["reward_margin"]
    _, *command = shlex.split(figure["command"])
    again = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout)["pairs"] == evaluated["pairs"]


def test_a_reference_that_is_no_model_is_one_line(arguments):
    with pytest.raises(SystemExit, match="--reference: sft is not one of the models: base, dpo"):
        main([*arguments[:-1], "sft"])


def test_scores_of_other_pairs_are_refused(arguments):
    with pytest.raises(SystemExit, match=r"dpo\.2\.jsonl: not the scores of the pairs in .*; delete it and run again"):
        main([arguments[0], swap_shards(arguments[1]), *arguments[2:]])


def swap_shards(word: str) -> str:
    """Return a model's shards in another order."""
    model, _, files = word.partition("=")
    return f"{model}={','.join(reversed(files.split(',')))}"
