"""Changed files in model.folder: check_model runs again if a byte differs, and nothing runs if only a time differs."""

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.support.project import run_command

MANIFEST = "results/own/model.sha256"
PLAN = ("snakemake", "--dry-run", "--configfile", "own.yaml", "--", MANIFEST)


@pytest.fixture
def checked(project: Path) -> Path:
    """Return a copy of the project in which a folder of a model has been checked."""
    folder = project / "models" / "own"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["GptOssForCausalLM"]}), encoding="utf-8")
    for name in ("tokenizer.json", "model.safetensors"):
        (folder / name).write_text("first", encoding="utf-8")
    (project / "own.yaml").write_text(yaml.safe_dump({"run": "own", "model": {"folder": "models/own"}}))
    done = run_command(*(word for word in PLAN if word != "--dry-run"), cwd=project)
    assert done.returncode == 0, done.stderr
    return project


def plan(project: Path) -> str:
    """Return the output of a dry run of Snakemake."""
    done = run_command(*PLAN, cwd=project)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_model_that_was_checked_is_not_checked_again(checked):
    assert "Nothing to be done" in plan(checked)


def test_another_time_with_the_same_bytes_plans_nothing(checked):
    os.utime(checked / "models/own/model.safetensors", (1, 1))
    assert "Nothing to be done" in plan(checked)


def test_other_bytes_of_the_same_size_and_an_older_time_plan_the_check_again(checked):
    weights = checked / "models/own/model.safetensors"
    weights.write_text("other", encoding="utf-8")
    os.utime(weights, (1, 1))
    assert "rule check_model:" in plan(checked)


def test_a_plan_is_shown_where_the_model_is_not(checked):
    (checked / "models/own").rename(checked / "models/elsewhere")
    assert "Nothing to be done" in plan(checked)
