"""A whole small run that is stopped again and again, at random moments of all of its stages: the same bytes each time.

`SOAK_KILLS=10 SOAK_SEED=7 pytest tests/runs/test_soak.py -s` is a short one; the seed and figures are printed.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from pipeline.graph.tabulate_stages import read_benchmark
from pipeline.publishing.compare_results import describes_the_run
from tests.runs.test_sft_pipeline import PAIRS, SMALL
from tests.support.processes import PATIENCE, kill, kill_all, wait_until, with_variable
from tests.support.project import copy_data, copy_project, run_command

pytestmark = pytest.mark.nightly("each way of stopping a training is in the second tier, at a chosen moment")

KILLS = int(os.environ.get("SOAK_KILLS", "100"))
SEED = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(10**6)))
# Several checkpoints, and SwanLab's record.
SETTINGS = SMALL | {
    "tracking": {"mode": "offline"},
    "dpo": {"num_train_epochs": 2, "logging_steps": 1, "save_strategy": "steps", "save_steps": 2},
}
NEXT = 3
COMMAND = ("snakemake", "--configfile", "small.yaml", "--cores", "2")
RESULTS = Path("results", SMALL["run"])
# What a run keeps beside its results: times, attempts, and what is left of them.
NOT_COMPARED = ("logs", "benchmarks", "checkpoints", "swanlab", "stages.csv")

Processes = Callable[[], list[int]]


def signal_all(processes: Processes, number: int) -> None:
    for pid in processes():
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_one(processes: Processes) -> None:
    """Kill one process, but not snakemake, whose jobs would go on beside those of the next one."""
    others = sorted(processes())[1:]
    if others:
        kill(random.choice(others))


WAYS: dict[str, Callable[[Processes], None]] = {
    "everything killed": lambda processes: signal_all(processes, signal.SIGKILL),
    "one process killed": kill_one,
    "SIGTERM to everything": lambda processes: signal_all(processes, signal.SIGTERM),
    "Ctrl-C": lambda processes: signal_all(processes, signal.SIGINT),
}


@dataclass
class Soak:
    """A project whose run is started and stopped."""

    project: Path
    stages: dict[str, float] = field(
        default_factory=dict
    )  # seconds of each job, undisturbed, in the order of their ends
    expected: dict[str, bytes] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    @property
    def results(self) -> Path:
        """The results of the run."""
        return self.project / RESULTS

    def processes(self) -> list[int]:
        """Return all processes of the run."""
        return with_variable(f"SOAK={self.project}")

    def read(self) -> dict[str, bytes]:
        """Return the results that have to be the same whenever and however often the run is stopped."""
        files = [path for path in self.results.rglob("*") if path.is_file() and path.name[0] != "."]
        names = [path.relative_to(self.results) for path in files]
        kept = [
            name for name in names if name.parts[0] not in NOT_COMPARED and not describes_the_run(str(RESULTS / name))
        ]
        return {str(name): (self.results / name).read_bytes() for name in kept}

    def run(self) -> None:
        """Run it undisturbed, and keep what it ends with."""
        done = run_command(*COMMAND, cwd=self.project)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        files = sorted((self.results / "benchmarks").iterdir(), key=lambda path: path.stat().st_mtime)
        rows = map(read_benchmark, files)
        self.stages = {row["job"]: row["seconds"] for row in rows}
        self.expected = self.read()
        self.remove()

    def remove(self) -> None:
        """Remove the results, so that everything is computed from the raw pairs."""
        self.results.rename(self.project / "before")
        run_command("rm", "-rf", "before", ".snakemake", cwd=self.project)

    def choose(self) -> str:
        """Return one of the next jobs, or none near the end: jobs before it are done undisturbed, and should be few."""
        done = {path.stem for path in (self.results / "benchmarks").glob("*.tsv")}
        left = [job for job in self.stages if job not in done]
        return random.choice([*left, ""][:NEXT])

    def stop(self) -> None:
        """Start it, stop it at a random moment of a random job in a random way; look at the bytes if it ends before."""
        job, way, began = self.choose(), random.choice(list(WAYS)), time.time()
        shutil.rmtree(self.project / ".snakemake" / "locks", ignore_errors=True)  # as snakemake --unlock, in no time
        log = self.results / "logs" / f"{job}.log"
        environment = os.environ | {"SOAK": str(self.project)}
        with (self.project / "said.txt").open("wb") as said:
            process = subprocess.Popen(COMMAND, cwd=self.project, env=environment, stdout=said, stderr=said)
        try:
            wait_until(lambda: process.poll() is not None or (job and has_begun(log, began)))
            time.sleep(random.uniform(0, self.stages.get(job, 0)))
            if process.poll() is None:
                WAYS[way](self.processes)
                self.count.update([job, way])
                print(f"{way}, in {job} or after it", flush=True)
            status = process.wait(5 * PATIENCE)
            wait_until(lambda: not self.processes())
        finally:
            kill_all(self.processes)
        if status == 0:
            self.look()

    def look(self) -> None:
        """See that the run ended with the bytes of the undisturbed one, and begin afresh."""
        found = self.read()
        assert found.keys() == self.expected.keys(), f"seed {SEED}, {self.count}"
        assert [n for n in found if found[n] != self.expected[n]] == [], f"seed {SEED}, {self.count}"
        self.count.update(["whole runs"])
        self.remove()


def has_begun(log: Path, since: float) -> bool:
    """Say whether a job writes its log since a time."""
    with suppress(FileNotFoundError):
        return log.stat().st_mtime >= since
    return False


@pytest.fixture
def soak(tmp_path) -> Soak:
    """Return a project with few pairs, whose run nobody has disturbed."""
    soak = Soak(tmp_path / "project")
    copy_project(soak.project)
    copy_data(soak.project)
    rows = (soak.project / "data" / "preferences.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (soak.project / "few.jsonl").write_text("".join(rows[:PAIRS]), encoding="utf-8")
    (soak.project / "small.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    soak.run()
    return soak


@pytest.mark.timeout(4 * 3600)
def test_a_run_that_is_stopped_at_random_moments_ends_in_the_same_bytes(soak, capsys):
    random.seed(SEED)
    began, starts = time.monotonic(), 0
    while sum(soak.count[way] for way in WAYS) < KILLS:
        soak.stop()
        starts += 1
    done = run_command(*COMMAND, cwd=soak.project)  # what the last kill left
    assert done.returncode == 0, f"seed {SEED}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    soak.look()
    with capsys.disabled():
        print(f"\nseed {SEED}: {KILLS} kills in {starts} starts and {time.monotonic() - began:.0f} s")
        print(*(f"  {number:3} {name}" for name, number in soak.count.most_common()), sep="\n")
