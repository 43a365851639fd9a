"""The plan of every engine's profile, with the plugin that it names."""

import os
import re

import pytest
import yaml

from tests.runs.engines.cluster import ENGINES
from tests.support.project import ROOT
from tests.workflow.test_workflow import ASKED_FOR, BEFORE_DPO, NAMES

pytestmark = pytest.mark.ci("jobs that are submitted in another form than the engine takes")

PROFILES = ["lsf", "htcondor", "pbs", "sge", "kubernetes"]
# What a training of eight GPUs asks for, beside Snakemake's own `gpu`, in the words of an engine that needs others.
EIGHT = {"lsf": "-gpu num=8/host:", "htcondor": "request_gpus=8,"}
SFT = {"prepare_sft", "train_sft"}


@pytest.fixture
def plan(project, run):
    """Return a function that plans the whole graph of an experiment on an engine."""

    def dry_run(engine: str, experiment: str) -> str:
        environment = ENGINES if engine != "kubernetes" else ROOT / ".venv-kubernetes" / "bin"
        path = os.pathsep.join([str(environment), os.environ["PATH"]])
        profile = project / "profiles" / engine / "config.yaml"
        profile.write_text(profile.read_text().replace("/shared/dpo", str(project)))
        command = ["snakemake", "--dry-run", "--workflow-profile", f"profiles/{engine}", "--configfile", experiment]
        planned = run(*command, cwd=project, PATH=path)
        assert planned.returncode == 0, planned.stderr
        return planned.stdout + planned.stderr

    return dry_run


def resources(planned: str, rule: str) -> str:
    """Return the resources that a job of a rule asks for."""
    return planned.partition(f"rule {rule}:")[2].partition("resources: ")[2].partition("\n")[0]


@pytest.mark.parametrize("engine", PROFILES)
@pytest.mark.parametrize("experiment", ["tutorial", "gpt-oss-20b-sft"])
def test_a_profile_plans_the_whole_graph(plan, engine, experiment):
    planned = plan(engine, f"experiments/{experiment}.yaml")
    expected = (
        {*NAMES, *BEFORE_DPO, "all"}
        - {"build_tiny_model", "build_random_model", "tabulate_sweep", "write_sweep_report"}
        - ASKED_FOR
    )
    with_sft = expected - {"dequantise_model"} | {"merge_sft"}  # over packed weights
    expected = with_sft if experiment.endswith("sft") else expected - SFT
    assert set(re.findall(r"^\s*rule (\w+):", planned, re.MULTILINE)) == expected


@pytest.mark.parametrize("engine", PROFILES)
def test_a_training_of_eight_gpus_is_not_cut_down_to_what_this_machine_has(plan, project, engine):
    settings = yaml.safe_load((ROOT / "experiments" / "tutorial.yaml").read_text())
    settings["train"]["gpus"] = 8
    (project / "eight.yaml").write_text(yaml.safe_dump(settings))
    asked = resources(plan(engine, "eight.yaml"), "train_dpo")
    assert "gpu=8," in asked
    assert EIGHT.get(engine, "gpu_model=h20") in asked


@pytest.mark.parametrize("engine", PROFILES)
def test_a_profile_has_what_profiles_default_has_but_for_its_limits(engine):
    default, profile = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text()) for name in ("default", engine)
    )
    limits = {"cores", "resources"}
    assert {name: profile[name] for name in default if name not in limits} == {
        name: value for name, value in default.items() if name not in limits
    }
