"""rocrate-validator on the crates that runs leave: Provenance Run Crate 0.5, and what it builds on. No network."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.project import ROOT, run_command
from tests.support.small_run import TARGETS, run_small, validate, write_crate

pytestmark = pytest.mark.ci("a crate that its profiles refuse")

# Of the published run, whatever else is published.
PUBLISHED = ["merged", "merged.sha256", "dpo/metrics.json", "infer/predictions.jsonl"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Return a cache of the validator with RO-Crate's context, which it would fetch."""
    path = tmp_path_factory.mktemp("cache") / "cache"
    python = f"{ROOT}/.venv-provenance/bin/python"
    filled = run_command(python, str(ROOT / "tests/runs/provenance/fill_cache.py"), str(path))
    assert filled.returncode == 0, filled.stderr
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Return the folder of a small run with its crate."""
    folder = tmp_path_factory.mktemp("small")
    run_small(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_crate(*TARGETS)
    return folder / "results/small"


def test_the_crate_of_a_small_run_is_valid(small, cache):
    done = validate(small, cache)
    assert done.returncode == 0, done.stdout
    assert "valid provenance-run-crate-0.5" in " ".join(done.stdout.split())


def test_the_crate_of_the_published_run_is_valid(published, cache, monkeypatch):
    monkeypatch.chdir(published)
    write_crate(*(f"results/tiny/{name}" for name in PUBLISHED), run="tiny")
    done = validate(published / "results/tiny", cache)
    assert done.returncode == 0, done.stdout


def test_the_validator_sees_an_action_that_nothing_ran(small, cache, tmp_path):
    crate = json.loads((small / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    for entity in crate["@graph"]:
        if entity["@id"] == "#run":
            del entity["instrument"]
    broken = tmp_path / "broken"
    shutil.copytree(small, broken)
    (broken / "ro-crate-metadata.json").write_text(json.dumps(crate), encoding="utf-8")
    done = validate(broken, cache)
    assert done.returncode == 1
    assert "MUST have an instrument" in " ".join(done.stdout.split())
