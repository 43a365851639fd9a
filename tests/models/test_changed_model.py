"""Changed files in model.folder: check_model runs again if a byte differs, and nothing runs if only a time differs."""

import os
from pathlib import Path

import pytest
import yaml

from tests.support.both_engines import in_folder
from tests.support.model_folders import SHARDS, write_model_folder
from tests.support.project import copy_clone, copy_data, copy_project, run_command

MANIFEST = "results/own/model.sha256"
PLAN = ("snakemake", "--dry-run", "--configfile", "own.yaml", "--", MANIFEST)


@pytest.fixture(scope="module")
def checked_once(tmp_path_factory) -> Path:
    """Return a copy of the project in which a folder of a model has been checked."""
    project = tmp_path_factory.mktemp("checked") / "project"
    copy_project(project)
    copy_data(project)
    write_model_folder(project / "models" / "own", packed=False)
    (project / "own.yaml").write_text(yaml.safe_dump({"run": "own", "model": {"folder": "models/own"}}))
    done = run_command(*(word for word in PLAN if word != "--dry-run"), cwd=project)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def checked(checked_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that, with its times."""
    return copy_clone(checked_once, tmp_path / "project")


def is_checked_again(project: Path) -> bool:
    """Say whether Snakemake would check the model."""
    return "check_model" in in_folder(project, "tests.support.plans:plan_snakemake", ["own.yaml"])


def test_a_model_that_was_checked_is_not_checked_again(checked):
    assert not is_checked_again(checked)


def test_another_time_with_the_same_bytes_plans_nothing(checked):
    os.utime(checked / "models/own" / SHARDS[0], (1, 1))
    assert not is_checked_again(checked)


def test_other_bytes_of_the_same_size_and_an_older_time_plan_the_check_again(checked):
    weights = checked / "models/own" / SHARDS[0]
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    os.utime(weights, (1, 1))
    assert is_checked_again(checked)


def test_a_plan_is_shown_where_the_model_is_not(checked):
    (checked / "models/own").rename(checked / "models/elsewhere")
    assert "Nothing to be done" in run_command(*PLAN, cwd=checked).stdout
