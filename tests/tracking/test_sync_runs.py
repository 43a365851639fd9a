"""sync_runs.py: records reach a server once; what cannot be uploaded is said in a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.support.swanlab_recording import DEAD, STEPS, Recording
from tests.support.swanlab_server import swanlab_server

pytestmark = pytest.mark.training_environment


@pytest.fixture
def results(tmp_path) -> Path:
    """Return a folder with a run that was recorded offline."""
    Recording(tmp_path / "results" / "mine" / "swanlab", "offline").end()
    return tmp_path / "results"


def sync(results: Path, host: str = DEAD, key: str = "k" * 21, run: str = "mine") -> "subprocess.CompletedProcess[str]":
    """Run the script, and return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWANLAB_")}
    environment |= {"SWANLAB_API_HOST": host, "HOME": str(results)} | ({"SWANLAB_API_KEY": key} if key else {})
    command = [sys.executable, "-m", "tools.sync_runs", "--results", str(results), "--run", run]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_finished_run_is_uploaded_once(results):
    with swanlab_server() as server:
        done = sync(results, server.address)
        assert done.stdout == "mine (abcdef0123): uploaded\n", done.stdout + done.stderr
        sent = server.bodies()
        assert sent.count('"train/loss"') >= STEPS and "abcdef0123" in sent
        server.sent.clear()
        assert sync(results, server.address).returncode == 0
        assert server.sent == []


def test_a_server_that_is_down_is_one_line_and_the_next_time_it_is_tried_again(results):
    done = sync(results)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("mine (abcdef0123): not uploaded: ")
    with swanlab_server() as server:
        assert sync(results, server.address).returncode == 0


def test_a_run_that_is_not_there_and_a_missing_key_are_one_line(results):
    (line,) = sync(results, run="other").stderr.splitlines()
    assert line.startswith(f"{results}/other/swanlab: no record of a training")
    (line,) = sync(results, key="").stderr.splitlines()
    assert line.startswith("SWANLAB_API_KEY: not set; ")
