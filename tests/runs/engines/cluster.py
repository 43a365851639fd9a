"""What the tests of engines share: Snakemake with their plugins, and a stand-in for a batch system."""

import json
import os
import subprocess
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from tests.support.project import ROOT, run_command

ENGINES = ROOT / ".venv-engines" / "bin"
STAND_IN = Path(__file__).with_name("stand_in.py")
TINY_PAIRS = "results/tiny/data/train.jsonl"


class StandIn:
    """Commands of a batch system on the PATH, that note how they are called."""

    def __init__(self, folder: Path, commands: Iterable[str]) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        for command in commands:
            (folder / "bin" / command).symlink_to(STAND_IN)
        path = os.pathsep.join([str(folder / "bin"), str(ENGINES), os.environ["PATH"]])
        self.environment = {"PATH": path, "STAND_IN": str(folder)}

    def refuse(self) -> None:
        """Let it refuse every job."""
        (self.folder / "refuse").touch()

    def calls(self, command: str) -> list[list[str]]:
        """Return the arguments of each call of a command."""
        calls = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        return [arguments for name, *arguments in calls if name == command]


def submit(project: Path, engine: str, *targets: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Make targets of the tiny run on an engine."""
    return run_command(*snakemake(engine), "--", *targets, cwd=project, **environment)


def submit_training(project: Path, engine: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Submit the training of the tutorial, to something that notes it and refuses it."""
    pretend_pairs(project)
    return run_command(*training_command(engine), cwd=project, **environment)


def pretend_pairs(project: Path) -> None:
    """Let what comes before the tutorial's training look done."""
    run = project / "results" / "tutorial"
    (run / "dpo").mkdir(parents=True)
    for name in ("dpo/train.jsonl", "dpo/val.jsonl", "model.sha256"):
        (run / name).touch()


def training_command(engine: str) -> list[str]:
    """Return the command that submits the tutorial's training alone."""
    training = ["--configfile", "experiments/tutorial.yaml", "--allowed-rules", "train_dpo"]
    return [*snakemake(engine), *training, "--", "results/tutorial/dpo/adapter.sha256"]


def snakemake(engine: str, *arguments: str) -> list[str]:
    """Return a command that tries everything once, and asks often, since all here is near."""
    soon = ["--retries", "0", "--latency-wait", "10", "--seconds-between-status-checks", "1"]
    return ["snakemake", "--workflow-profile", f"profiles/{engine}", *soon, *arguments]


def options(arguments: list[str], name: str) -> list[str]:
    """Return the values of an option that may be given several times."""
    return [value for word, value in pairwise(arguments) if word == name]
