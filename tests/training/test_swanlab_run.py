"""plugins/swanlab_run.py: each mode records, a server that fails costs no figure, and nothing private is kept.

No training: a process opens the run as ms-swift does, logs figures, and ends.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from processes import wait_until
from swanlab_server import swanlab_server

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
        names = {"FOLDER": folder, "MODE": mode, "PROJECT": "p", "NAME": "n", "ID": "abcdef0123"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SWANLAB_")}
        environment |= {f"TRACKING_{name}": str(value) for name, value in names.items()}
        environment |= {"PYTHONPATH": "scripts", "SWANLAB_API_HOST": host, "HOME": str(folder / "home")}
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
        """Let it go on to its end; return what it said."""
        said, _ = self.process.communicate("\n", timeout=PATIENCE)
        assert self.process.returncode == 0, self.said + said
        return self.said + said


def read_losses(folder: Path) -> dict[int, float]:
    """Return the losses of all records in a folder, by step."""
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    losses = {}
    for file in folder.glob("run-*/*.swanlab"):
        reader = DataStoreReader()
        reader.open(file)
        records = [Record.FromString(data) for data in reader]
        reader.close()
        losses |= {record.scalar.step: record.scalar.value.number for record in records if record.HasField("scalar")}
    return losses


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


def test_a_server_that_is_there_gets_every_figure(tmp_path):
    with swanlab_server() as server:
        Recording(tmp_path, "online", server.address).end()
        assert "runs/experiment/state" in server.bodies()
        assert server.bodies().count('"train/loss"') >= STEPS
    assert read_losses(tmp_path) == ALL


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


def test_neither_the_record_nor_what_is_uploaded_has_the_project_folder(tmp_path):
    with swanlab_server() as server:
        Recording(tmp_path / "swanlab", "online", server.address).end()
        kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        for text in (server.bodies().encode(), *kept):
            assert str(ROOT).encode() not in text
        assert "models/gpt-oss" in server.bodies()
