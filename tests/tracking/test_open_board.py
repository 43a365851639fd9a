"""open_board.py: the real dashboard, started on a free port, shows every run."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.launch.on_nodes import free_port
from tests.support.processes import PATIENCE, wait_until
from tests.support.project import ROOT
from tests.support.swanlab_recording import STEPS, Recording, read_losses

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


def test_without_a_record_there_is_one_line(tmp_path):
    command = [sys.executable, "-m", "tools.open_board", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{tmp_path}/*/swanlab: no record of a training; is the run's name right, and tracking.mode not disabled?"
    ]
