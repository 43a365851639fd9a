"""Copies of the project to work in, and commands in them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


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


def embedded_pairs() -> Path:
    """Return the file of the embedded pairs; a test that needs them fails with one line if they were not fetched."""
    pairs = ROOT / "data" / "preferences.jsonl"
    if not pairs.is_file():
        pytest.fail(f"{pairs.relative_to(ROOT)}: no such file; run `dvc pull data.dvc`", pytrace=False)
    return pairs


def copy_data(project: Path) -> None:
    """Copy the embedded pairs into a copy of the project."""
    shutil.copytree(embedded_pairs().parent, project / "data")


def pull_published(target: Path) -> None:
    """Make a clone that has pulled the published results from the store in the repository, without a network."""
    clone = target.with_name("being-pulled")
    copy_project(clone)
    commit(clone, "published")
    dvc(clone, "pull", "--quiet", http_proxy="http://127.0.0.1:9")
    run_command("python", "-m", "compileall", "-qq", "pipeline", "scripts", "tools", cwd=clone)  # for all copies
    clone.rename(target)


def copy_clone(clone: Path, target: Path) -> Path:
    """Copy a clone with its times and links, by which both engines see that nothing has changed."""
    subprocess.run(["cp", "--archive", "--reflink=auto", clone, target], check=True)
    return target


def link_environments(target: Path) -> None:
    """Let a copy use the environments that are installed."""
    for environment in (".venv", ".venv-tests", ".venv-training"):
        (target / environment).symlink_to(ROOT / environment)


def write_few_pairs(project: Path) -> None:
    """Write few.jsonl into a copy of the project: 96 of the embedded pairs, which train in a third of the time."""
    assert run_command("dvc", "pull", "--quiet", "data.dvc", cwd=project).returncode == 0
    pairs = (project / "data" / "preferences.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (project / "few.jsonl").write_text("".join(pairs[:96]), encoding="utf-8")


def run_command(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the workflow environment's tools in a folder, and return its output."""
    path = os.pathsep.join([f"{ROOT}/.venv/bin", f"{ROOT}/.venv-tests/bin", os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def dvc(clone: Path, *arguments: str, **environment: str) -> str:
    """Run DVC in a clone; it must end well. Return its output."""
    done = run_command("dvc", *arguments, cwd=clone, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder: Path, message: str = "change") -> None:
    """Commit everything in a copy of the project."""
    name = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", *name, "commit", "--quiet", "--message", message], cwd=folder, check=True)
