"""A packed model in model.folder is dequantised again if a byte differs; nothing runs if only a time differs."""

import os
from pathlib import Path

import pytest
import yaml

from pipeline.models.model_folder import find_model_problem
from tests.support.both_engines import in_folder
from tests.support.model_folders import SHARDS, write_model_folder
from tests.support.project import copy_clone, copy_data, copy_project, run_command

MANIFEST = "results/own/dequantised.sha256"
PLAN = ("snakemake", "--dry-run", "--configfile", "own.yaml", "--", MANIFEST)


@pytest.fixture(scope="module")
def checked_once(tmp_path_factory) -> Path:
    """Return a copy of the project in which a packed model has been checked and dequantised."""
    project = tmp_path_factory.mktemp("checked") / "project"
    copy_project(project)
    copy_data(project)
    write_model_folder(project / "models" / "own")
    model = {"folder": "models/own", "weights": "bfloat16"}
    (project / "own.yaml").write_text(yaml.safe_dump({"run": "own", "model": model}))
    done = run_command(*(word for word in PLAN if word != "--dry-run"), cwd=project)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def checked(checked_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that, with its times."""
    return copy_clone(checked_once, tmp_path / "project")


def planned_of_the_model(project: Path) -> list[str]:
    """Return the stages of the model that Snakemake would run."""
    planned = in_folder(project, "tests.support.plans:plan_snakemake", ["own.yaml"])
    return [rule for rule in planned if rule in ("check_model", "dequantise_model")]


def test_a_model_that_was_dequantised_is_not_dequantised_again(checked):
    assert not find_model_problem(checked / "results/own/dequantised")
    assert planned_of_the_model(checked) == []


def test_another_time_with_the_same_bytes_plans_nothing(checked):
    os.utime(checked / "models/own" / SHARDS[0], (1, 1))
    assert planned_of_the_model(checked) == []


def test_other_bytes_of_the_same_size_and_an_older_time_plan_both_stages_again(checked):
    weights = checked / "models/own" / SHARDS[0]
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    os.utime(weights, (1, 1))
    assert planned_of_the_model(checked) == ["check_model", "dequantise_model"]


def test_a_plan_is_shown_where_the_model_is_not(checked):
    (checked / "models/own").rename(checked / "models/elsewhere")
    assert "Nothing to be done" in run_command(*PLAN, cwd=checked).stdout
