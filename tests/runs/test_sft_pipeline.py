"""SFT before DPO, run on a very small model: stacked, and by the recommended recipe, with experts. Takes minutes."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import ROOT, copy_project, run_command, write_few_pairs

pytestmark = pytest.mark.ci("DPO that starts from another model than the one after SFT")

RECIPE = ROOT / "experiments" / "gpt-oss-20b-sft.yaml"
ON_THE_CPU = {"torch_dtype": "float32", "bf16": False, "fp16": False, "dataloader_num_workers": 0, "max_length": 512}
TINY = {
    **{"hidden_size": 32, "intermediate_size": 32, "head_size": 16, "experts": 4},
    **{"vocab_size": 1024, "training_steps": 20},
}
SMALL = {
    "run": "small",
    "data": {"raw": "few.jsonl"},
    "model": {"tiny": TINY},
    "infer": {"max_new_tokens": 4},
    "tracking": {"mode": "disabled"},
}
MERGED = "results/small/sft/merged, without an adapter"
STACKED = "results/small/model, with the SFT adapter"


@pytest.fixture(scope="module", params=["merged", "stacked"])
def tuned(request, tmp_path_factory) -> dict[str, Any]:
    """Run the whole graph with SFT: merged, by the recommended recipe; and stacked. Return where its results are."""
    project = tmp_path_factory.mktemp("sft") / "project"
    copy_project(project)
    settings = SMALL | {
        "sft": {"enabled": True, "join": "stacked"},
        "gates": {"chosen_fall": 100},
        "dpo": {"num_train_epochs": 1},
    }
    if request.param == "merged":
        recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
        settings = SMALL | {name: recipe[name] for name in ("sft", "gates")} | {"dpo": recipe["dpo"] | ON_THE_CPU}
    (project / "small.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    write_few_pairs(project)
    done = run_command("snakemake", "--cores", "2", "--configfile", "small.yaml", cwd=project)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {"join": request.param, "run": project / "results" / "small"}


def gates_of(stage: Path) -> dict[str, dict]:
    return {row["gate"]: row for row in json.loads((stage / "gates.json").read_text(encoding="utf-8"))}


def test_every_gate_of_every_stage_passed(tuned):
    stages = ["data", "sft", "dpo", "merge", "infer"] + (["sft/merge"] if tuned["join"] == "merged" else [])
    for stage in stages:
        assert [name for name, row in gates_of(tuned["run"] / stage).items() if not row["passed"]] == []


def test_the_reference_of_dpo_is_the_sft_model_and_the_first_margin_is_0(tuned):
    gates = gates_of(tuned["run"] / "dpo")
    assert gates["reference"]["value"] == (MERGED if tuned["join"] == "merged" else STACKED)
    assert gates["first_margin"]["value"] == 0
    # The recipe adds the chosen answers' negative log-likelihood, which is the model's own.
    ln_2 = pytest.approx(math.log(2), abs=1e-4)
    assert gates["first_loss"]["value"] > 1 if tuned["join"] == "merged" else gates["first_loss"]["value"] == ln_2


def test_the_table_of_the_lora_says_whether_experts_are_trained(tuned):
    with (tuned["run"] / "dpo" / "lora_coverage.csv").open(encoding="utf-8", newline="") as table:
        experts = {row["module"] for row in csv.DictReader(table) if row["experts"] == "yes"}
    trained = {"mlp.experts.down_proj", "mlp.experts.gate_up_proj"}
    assert experts == (trained if tuned["join"] == "merged" else set())


def test_the_model_before_any_tuning_the_sft_model_and_the_tuned_one_are_compared(tuned):
    metrics = json.loads((tuned["run"] / "evaluate" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["models"] == ["base", "sft", "dpo"]
    assert set(metrics["answers"]) == set(metrics["pairs"]) == {"base", "sft", "dpo"}
