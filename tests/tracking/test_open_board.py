"""open_board.py: the real dashboard, started on a free port, shows every run."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.launch.on_nodes import free_port
from pipeline.tracking.swanlab_records import find_trainings, read_records
from tests.support.processes import PATIENCE, wait_until
from tests.support.project import ROOT
from tests.support.swanlab_recording import STEPS, Recording, read_losses
from tools.open_board import rank

pytestmark = pytest.mark.training_environment


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Return a folder with a run whose training was killed after half of its figures and went on, and another run."""
    folder = tmp_path_factory.mktemp("results")
    first = Recording(folder / "stopped" / "swanlab", "offline")
    assert wait_until(lambda: len(read_losses(first.folder)) == 3)
    first.process.kill()
    first.process.communicate()
    Recording(folder / "stopped" / "swanlab", "offline").end()
    Recording(folder / "other" / "swanlab", "local").end()
    return folder


@pytest.fixture(scope="module")
def ask(results) -> Iterator[Any]:
    """Start the dashboard, and return a function that asks it; stop it by Ctrl-C."""
    port = free_port()
    command = [sys.executable, "-m", "tools.open_board", "--results", str(results), "--port", str(port)]
    scratch = results / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, env=os.environ | {"TMPDIR": str(scratch)}
    ) as board:

        def ask(route: str) -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{route}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]

        def answers() -> bool:
            try:
                return bool(ask("project"))
            except OSError:
                return board.poll() is not None

        try:
            assert wait_until(answers)
            assert board.poll() is None
            yield ask
        finally:
            os.killpg(board.pid, signal.SIGINT)
            board.wait(timeout=PATIENCE)
    assert list(scratch.iterdir()) == []


def test_the_board_lists_every_training_once(ask):
    assert len(ask("project")["experiments"]) == 2


@pytest.mark.parametrize("experiment", [1, 2])
def test_the_board_shows_the_whole_curve_also_of_a_training_that_went_on(ask, experiment):
    points = ask(f"experiment/{experiment}/tag/train/loss")["list"]
    assert [(point["index"], point["data"]) for point in points] == [
        (step, pytest.approx(1 / (step + 1))) for step in range(STEPS)
    ]


def test_charts_of_loss_and_rewards_come_first_and_those_of_the_machine_last():
    keys = ["__swanlab__.cpu.pct", "eval/runtime", "train/rewards/chosen", "train/rewards/margins", "train/loss"]
    scalars = [SimpleNamespace(key=key) for key in keys]
    assert [scalar.key for scalar in sorted(scalars, key=rank)] == keys[::-1]


def test_the_board_shows_charts_in_that_order(ask):
    assert ask("experiment/1/chart")["charts"][0]["name"] == "train/loss"


def test_a_training_has_its_own_duration_and_not_that_of_its_copy(ask, results):
    shown = next(row for row in ask("project")["experiments"] if row["run_id"].startswith("run-0-"))
    first, *_, last = read_records(find_trainings(results)[0].files[-1])
    assert datetime.fromisoformat(shown["create_time"]) == first.start.started_at.ToDatetime(UTC)
    assert datetime.fromisoformat(shown["finish_time"]) == last.timestamp.ToDatetime(UTC)


def test_without_a_record_there_is_one_line(tmp_path):
    command = [sys.executable, "-m", "tools.open_board", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{tmp_path}/*/swanlab: no record of a training; is the run's name right, and tracking.mode not disabled?"
    ]
