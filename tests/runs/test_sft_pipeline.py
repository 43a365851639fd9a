"""SFT before DPO, run on a very small model: merged, by the recommended recipe; and stacked, with a LoRA of experts.

What comes after the merge is the same for both, and is run for the first alone. Takes minutes.
"""

import csv
import json
import math
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.files.json_lines import read_json_lines
from tests.support.project import ROOT, copy_project, run_command, write_few_pairs

pytestmark = pytest.mark.ci("DPO that starts from another model than the one after SFT")

RECIPE = ROOT / "experiments" / "gpt-oss-20b-sft.yaml"
# In place of what a CPU cannot do, flex attention, and of what is slow on it: bfloat16 and compiled layers.
ON_THE_CPU = {
    **{"torch_dtype": "float32", "bf16": False, "fp16": False, "attn_impl": "eager"},
    **{"dataloader_num_workers": 0, "max_length": 512},
}
TINY = {
    **{"hidden_size": 32, "intermediate_size": 32, "head_size": 16, "experts": 4},
    **{"vocab_size": 1024, "conversations": None, "turn_steps": 0, "training_steps": 20},
}
SMALL = {
    "run": "small",
    "data": {"raw": "few.jsonl", "val_fraction": 0.2},
    "model": {"tiny": TINY},
    "infer": {"max_new_tokens": 4},
    "tracking": {"mode": "disabled"},
}
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]  # what the recipe names as the line to add
PAIRS = 56  # six are held out: three for each process, so that means are exact
RESULTS = Path("results", "small")
# The stages that have gates.
STAGES = {
    "merged": ["data", "sft", "sft/merge", "dpo", "merge", "infer", "evaluate/sft"],
    "stacked": ["sft", "dpo", "merge", "evaluate/sft"],
}
REFERENCES = {
    "merged": "results/small/sft/merged, without an adapter",
    "stacked": "results/small/model, with the SFT adapter",
}
TRAINED = {"merged": set(), "stacked": set(EXPERTS)}


def run_graph(project: Path, settings: dict[str, Any], *targets: str) -> None:
    (project / "small.yaml").write_text(yaml.safe_dump(SMALL | settings), encoding="utf-8")
    done = run_command("snakemake", "--configfile", "small.yaml", "--cores", "2", *targets, cwd=project)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Return a copy of the project with a few pairs."""
    folder = tmp_path_factory.mktemp("sft") / "project"
    copy_project(folder)
    write_few_pairs(folder)
    few = folder / "few.jsonl"
    rows = few.read_text(encoding="utf-8").splitlines(keepends=True)
    few.write_text("".join(rows[:PAIRS]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def merged(project) -> Path:
    """Run the whole graph by the recommended recipe; return a copy of its results."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    settings = {name: recipe[name] for name in ("sft", "gates")} | {"dpo": recipe["dpo"] | ON_THE_CPU}
    run_graph(project, settings | {"train": {"fast": recipe["train"]["fast"] | {"compiled_layers": False}}})
    return shutil.copytree(project / RESULTS, project / "merged")


@pytest.fixture(scope="module")
def stacked(project, merged) -> Path:
    """Go on in the same project with stacked adapters: to what depends on how they are joined; return the results."""
    shutil.rmtree(project / RESULTS / "evaluate" / "sft")
    settings = {"sft": {"enabled": True, "join": "stacked"}, "gates": {"chosen_fall": 100}}
    targets = ["dpo/adapter.sha256", "evaluate/sft/predictions.jsonl", "evaluate/sft/scores/0.jsonl", "merged.sha256"]
    run_graph(
        project,
        settings | {"dpo": {"num_train_epochs": 1, "rpo_alpha": None, "lora_dropout": 0, "target_parameters": EXPERTS}},
        *(f"{RESULTS}/{target}" for target in targets),
    )
    return project / RESULTS


@pytest.fixture(params=["merged", "stacked"])
def join(request) -> str:
    """Return how the SFT and DPO are joined."""
    return request.param


@pytest.fixture
def tuned(request, join) -> Path:
    """Return the results of a run that is joined so."""
    return request.getfixturevalue(join)


def gates_of(stage: Path) -> dict[str, dict]:
    return {row["gate"]: row for row in json.loads((stage / "gates.json").read_text(encoding="utf-8"))}


def test_every_gate_of_every_stage_passed(tuned, join):
    failed = [
        (stage, name) for stage in STAGES[join] for name, row in gates_of(tuned / stage).items() if not row["passed"]
    ]
    assert failed == []


def test_the_reference_of_dpo_is_the_sft_model_and_the_first_margin_is_0(tuned, join):
    gates = gates_of(tuned / "dpo")
    assert gates["reference"]["value"] == REFERENCES[join]
    assert gates["first_margin"]["value"] == 0
    # The recipe adds the chosen answers' negative log-likelihood, which is the model's own.
    ln_2 = pytest.approx(math.log(2), abs=1e-4)
    assert gates["first_loss"]["value"] > 1 if join == "merged" else gates["first_loss"]["value"] == ln_2


def test_the_sft_model_that_is_evaluated_is_the_one_that_dpo_starts_from(tuned):
    first = next(row for row in read_json_lines(tuned / "dpo" / "curves.jsonl") if "eval_logps/chosen" in row)
    scores = read_json_lines(tuned / "evaluate" / "sft" / "scores" / "0.jsonl")
    for side in ("chosen", "rejected"):
        mean = statistics.fmean(row[f"{side}_logp"] for row in scores)
        assert mean == pytest.approx(first[f"eval_logps/{side}"], rel=1e-4)


def test_the_table_of_the_lora_says_whether_experts_are_trained(tuned, join):
    with (tuned / "dpo" / "lora_coverage.csv").open(encoding="utf-8", newline="") as table:
        experts = {row["module"] for row in csv.DictReader(table) if row["experts"] == "yes"}
    assert experts == TRAINED[join]


def test_the_model_before_any_tuning_the_sft_model_and_the_tuned_one_are_compared(merged):
    metrics = json.loads((merged / "evaluate" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["models"] == ["base", "sft", "dpo"]
    assert set(metrics["answers"]) == set(metrics["pairs"]) == {"base", "sft", "dpo"}
