"""Processes that record figures in SwanLab as a training does, through plugins/swanlab_run.py."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.launch.contract import Contract, Tracking
from pipeline.tracking.swanlab_records import read_records
from tests.support.project import ROOT

PATIENCE = 120.0  # seconds; left waiting for its server, SwanLab would need for ever
STEPS = 6
PROGRAM = f"""
import os, runpy, sys
runpy.run_path("plugins/swanlab_run.py")
import swanlab
swanlab.config.update({{"model": os.path.abspath("models/gpt-oss"), "beta": 0.1}})
for step in range({STEPS}):
    swanlab.log({{"train/loss": 1 / (step + 1), "train/global_step/max_steps": f"{{step}}/{STEPS}"}}, step=step)
    if step == 2:
        print("half", flush=True)
        sys.stdin.readline()
"""
DEAD = "http://127.0.0.1:9"


class Recording:
    """A process that records into a folder, and stands still after half of its figures."""

    def __init__(self, folder: Path, mode: str, host: str = DEAD, key: str | None = "k" * 21) -> None:
        tracking = Tracking(mode, str(folder), "p", "n", "abcdef0123")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SWANLAB_")}
        folder.mkdir(parents=True, exist_ok=True)
        environment |= Contract(folder, 0, 0, tracking=tracking).write()
        environment |= {"PYTHONPATH": ".", "SWANLAB_API_HOST": host, "HOME": str(folder / "home")}
        environment |= {"SWANLAB_API_KEY": key} if key else {}
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if line == "half\n":
                break

    def end(self) -> str:
        """Let it go on to its end; return its output."""
        said, _ = self.process.communicate("\n", timeout=PATIENCE)
        assert self.process.returncode == 0, self.said + said
        return self.said + said


def read_losses(folder: Path) -> dict[int, float]:
    """Return the losses of all records in a folder, by step."""
    records = [record for file in folder.glob("run-*/*.swanlab") for record in read_records(file)]
    return {record.scalar.step: record.scalar.value.number for record in records if record.HasField("scalar")}
