"""plugins/swanlab_run.py: each mode records, a server that fails costs no figure, and nothing private is kept.

No training: a process opens the run as ms-swift does, logs figures, and ends.
"""

from pathlib import Path

import pytest

from tests.support.processes import wait_until
from tests.support.project import ROOT
from tests.support.swanlab_recording import DEAD, STEPS, Recording, read_losses
from tests.support.swanlab_server import swanlab_server

pytestmark = pytest.mark.training_environment

ALL = {step: pytest.approx(1 / (step + 1)) for step in range(STEPS)}


@pytest.mark.parametrize("mode", ["offline", "local"])
def test_every_figure_is_recorded_without_a_server(tmp_path, mode):
    Recording(tmp_path, mode).end()
    assert read_losses(tmp_path) == ALL


def test_a_process_that_is_killed_keeps_what_it_logged(tmp_path):
    recording = Recording(tmp_path, "offline")
    assert wait_until(lambda: len(read_losses(tmp_path)) == 3)
    recording.process.kill()
    recording.process.communicate()
    assert read_losses(tmp_path) == {step: ALL[step] for step in range(3)}


@pytest.fixture(scope="module")
def online(tmp_path_factory) -> tuple[Path, str]:
    """Return the folder of a run that was uploaded while it went on, and what the server was sent."""
    folder = tmp_path_factory.mktemp("online")
    with swanlab_server() as server:
        Recording(folder, "online", server.address).end()
        return folder, server.bodies()


def test_a_server_that_is_there_gets_every_figure(online):
    folder, sent = online
    assert "runs/experiment/state" in sent
    assert sent.count('"train/loss"') >= STEPS
    assert read_losses(folder) == ALL


def test_neither_the_record_nor_what_is_uploaded_has_the_project_folder(online):
    folder, sent = online
    for text in (sent.encode(), *(path.read_bytes() for path in folder.rglob("*") if path.is_file())):
        assert str(ROOT).encode() not in text
    assert "models/gpt-oss" in sent


def assert_fell_back(folder: Path, said: str) -> None:
    (line,) = (line for line in said.splitlines() if line.startswith("SwanLab's server"))
    assert f"recorded offline; upload it later: make sync RUN={folder.parent.name}" in line
    assert read_losses(folder) == ALL
    assert len(list(folder.glob("run-*"))) == 1


def test_a_server_that_is_down_is_named_and_the_run_recorded_offline(tmp_path):
    assert_fell_back(tmp_path, Recording(tmp_path, "online", DEAD).end())


@pytest.mark.parametrize("answers", ["hangs", "refuses"])
def test_a_server_that_hangs_or_fails_is_named_and_the_run_recorded_offline(tmp_path, answers):
    with swanlab_server() as server:
        server.answers = answers
        assert_fell_back(tmp_path, Recording(tmp_path, "online", server.address).end())


def test_without_a_key_the_run_is_recorded_offline(tmp_path):
    with swanlab_server() as server:
        assert_fell_back(tmp_path, Recording(tmp_path, "online", server.address, key=None).end())
        assert server.sent == []


@pytest.mark.parametrize("answers", ["hangs", "refuses"])
def test_a_server_that_dies_in_the_middle_costs_no_figure_and_does_not_keep_the_training_from_its_end(
    tmp_path, answers
):
    with swanlab_server() as server:
        recording = Recording(tmp_path, "online", server.address)
        server.answers = answers
        recording.end()
    assert read_losses(tmp_path) == ALL
