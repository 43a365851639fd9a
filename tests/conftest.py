"""What several tests need: a copy of the project to work in, and Snakemake in it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A script's background job is deaf to Ctrl-C, and so would be all that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests run with make is no part of the make that runs the tests: it would say so in its output, and take its
# variables.
for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take most minutes: begun last, they would keep one worker while the other waits."""
    marks = {item.path: item.get_closest_marker("pipeline") for item in items}
    items.sort(key=lambda item: -(mark.kwargs["minutes"] if (mark := marks[item.path]) else 0))


def copy_project(target: Path) -> None:
    """Copy what git tracks, or would track, into a new git repository, with links to the environments."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    link_environments(target)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)


def link_environments(target: Path) -> None:
    """Let a copy use the environments that are installed."""
    for environment in (".venv", ".venv-training"):
        (target / environment).symlink_to(ROOT / environment)


def write_few_pairs(project: Path) -> None:
    """Write few.jsonl into a copy of the project: 96 of the embedded pairs, which train in a third of the time."""
    assert run_command("dvc", "pull", "--quiet", "data.dvc", cwd=project).returncode == 0
    pairs = (project / "data" / "preferences.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (project / "few.jsonl").write_text("".join(pairs[:96]), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project with the embedded pairs, and no results."""
    target = tmp_path / "project"
    copy_project(target)
    shutil.copytree(ROOT / "data", target / "data")
    return target


def run_command(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the workflow environment's tools in a folder, and return what it said."""
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command in a folder and returns what it said."""
    return run_command


def dvc(clone: Path, *arguments: str, **environment: str) -> str:
    """Run DVC in a clone; it must end well. Return what it printed."""
    done = run_command("dvc", *arguments, cwd=clone, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_nothing_to_do(clone: Path) -> None:
    """See that both engines find everything up to date."""
    assert "Nothing to be done" in run_command("snakemake", "--dry-run", cwd=clone).stdout
    assert dvc(clone, "status").strip() == "Data and pipelines are up to date."


def commit(folder: Path, message: str = "change") -> None:
    """Commit everything in a copy of the project."""
    name = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", *name, "commit", "--quiet", "--message", message], cwd=folder, check=True)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Return a clone that has pulled the published results from the store in the repository, without a network."""
    clone = tmp_path / "clone"
    copy_project(clone)
    commit(clone, "published")
    pulled = run_command("dvc", "pull", "--quiet", cwd=clone, http_proxy="http://127.0.0.1:9")
    assert pulled.returncode == 0, pulled.stderr
    return clone
