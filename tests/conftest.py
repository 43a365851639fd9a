"""What several tests need: a copy of the project to work in, and Snakemake in it."""

import importlib.util
import os
import signal
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.budget import Budget
from tests.support.project import Run, copy_clone, copy_data, copy_project, pull_published, run_command

# A script's background job is deaf to Ctrl-C, and so would be all that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests run with make is not part of the make that runs the tests: it would say so in its output, and take its
# variables.
for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)


IN_TRAINING = importlib.util.find_spec("swift") is not None
# What they need is installed in one of the environments only.
pytest_plugins = ["tests.support.training_fixtures"] if IN_TRAINING else ["tests.support.random_inputs"]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out, without importing it, a file of tests that needs the other environment."""
    if not (collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    needs_training = "pytest.mark.training_environment" in collection_path.read_text(encoding="utf-8")
    return True if needs_training != IN_TRAINING else None


def pytest_configure(config: pytest.Config) -> None:
    """Measure what each file of tests takes."""
    config.pluginmanager.register(Budget("training" if IN_TRAINING else "workflow"), "budget")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project with the embedded pairs, and no results."""
    target = tmp_path / "project"
    copy_project(target)
    copy_data(target)
    return target


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command in a folder and returns its output."""
    return run_command


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone that has pulled the published results, made by the first worker that needs it: to be copied."""
    here = tmp_path_factory.getbasetemp()
    clone = (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / "published"
    with FileLock(f"{clone}.lock"):
        if not clone.exists():
            pull_published(clone)
    return clone


@pytest.fixture
def published(template: Path, tmp_path: Path) -> Path:
    """Return a clone that has pulled the published results."""
    return copy_clone(template, tmp_path / "clone")
