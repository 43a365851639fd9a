"""Trainings that are stopped in many ways and continue, with real processes, signals and disks: same bytes at the end.

Two epochs of six steps each. Checkpoints are saved at steps 4, 8 and 12, and figures are logged there.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.processes import PATIENCE, kill, kill_all, named, wait_until
from tests.support.project import ROOT
from tests.support.small_disk import small_disk
from tests.support.tutorial_run import FLOAT32, build_model, read_results, training_command, tutorial_pairs, write_pairs

pytestmark = pytest.mark.ci("a training that goes on from a kill and ends in other bytes")

SETTINGS = FLOAT32 | {
    **{"num_train_epochs": 2, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "logging_steps": 4},
    **{
        "save_strategy": "steps",
        "save_steps": 4,
        "eval_strategy": "epoch",
        "eval_on_start": True,
        "per_device_eval_batch_size": 4,
        "dataloader_num_workers": 0,
        "max_length": 512,
    },
}

Moment = Callable[[Path], bool]


class Training:
    """One training of 24 pairs on two processes, in a folder: started, stopped, and started again."""

    def __init__(self, model: Path, pairs: Path, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "dpo"
        self.command = training_command(model, pairs, folder, 2, SETTINGS, tracking="offline")

    @contextmanager
    def started(self) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
        """Start it in a session of its own; yield it, and a function that returns its output so far.

        That goes into a file: a pipe that nobody reads would stop the training once it is full.
        """
        self.folder.mkdir(exist_ok=True)
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(self.command, cwd=ROOT, start_new_session=True, stdout=said, stderr=said) as process,
        ):
            yield process, lambda: read_all(said)

    def run(self) -> "subprocess.CompletedProcess[str]":
        """Run it until it ends, however that may be."""
        with self.started() as (process, said):
            process.wait(timeout=5 * PATIENCE)
            return subprocess.CompletedProcess(self.command, process.returncode, said())

    def stop(self, moment: Moment, stop: Callable[[list[int]], object]) -> "subprocess.CompletedProcess[str]":
        """Start it, stop it at a moment by a function of its processes, and wait for its end."""
        with self.started() as (process, said):
            try:
                assert wait_until(lambda: moment(self.checkpoints()) or process.poll() is not None), said()
                assert process.poll() is None, said()
                stop(self.processes())
                process.wait(timeout=PATIENCE)
                assert wait_until(lambda: not self.processes()), f"still there: {self.processes()}"
            finally:
                kill_all(self.processes)
            return subprocess.CompletedProcess(self.command, process.returncode, said())

    def processes(self) -> list[int]:
        """Return all of its processes: each has the folder in its command line."""
        return named(str(self.folder))

    def checkpoints(self) -> Path:
        """Return the folder of the checkpoints; one that is not there, before there is any."""
        return next(iter((self.folder / "checkpoints").glob("*/")), self.folder / "none")


def read_all(file: BinaryIO) -> str:
    """Return the contents of a file."""
    file.seek(0)
    return file.read().decode("utf-8", "replace")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Training, Path]:
    """Return a training that nobody disturbed, and where its folder is kept."""
    folder = tmp_path_factory.mktemp("interruptions")
    pairs = write_pairs(folder / "pairs.jsonl", tutorial_pairs()[:24])
    training = Training(build_model(folder, training_steps=2), pairs, folder / "run")
    done = training.run()
    assert done.returncode == 0, done.stdout[-12000:]
    return training, training.folder.rename(folder / "undisturbed")


@pytest.fixture
def training(finished) -> Training:
    """Return the training, not begun. All share a folder, since paths are in its results."""
    shutil.rmtree(finished[0].folder, ignore_errors=True)
    return finished[0]


@pytest.fixture(scope="module")
def undisturbed(finished) -> dict[str, bytes]:
    """Return the files that it publishes if nobody disturbs it."""
    return read_results(finished[1] / "dpo")


def assert_goes_on(training: Training, undisturbed: dict[str, bytes]) -> str:
    """See that the training, started again, ends in the same bytes; return its output."""
    done = training.run()
    assert done.returncode == 0, done.stdout[-12000:]
    assert read_results(training.results) == undisturbed
    return done.stdout


# Moments


def has_logged(step: int) -> Moment:
    """Return whether the figures of a step are logged."""

    def moment(checkpoints: Path) -> bool:
        log = checkpoints / "logging.jsonl"
        return log.is_file() and f'"{step}/12"' in log.read_text(encoding="utf-8")

    return moment


def writes_checkpoint(step: int) -> Moment:
    """Return whether some files of a checkpoint are there, but not all."""

    def moment(checkpoints: Path) -> bool:
        folder = checkpoints / f"checkpoint-{step}"
        return folder.is_dir() and any(folder.iterdir()) and not (folder / "checkpoint.sha256").exists()

    return moment


MOMENTS = {
    "at a step before the first checkpoint": has_logged(1),
    "at a step after it": has_logged(4),
    "while a checkpoint is written": writes_checkpoint(8),
    "while the last checkpoint is written": writes_checkpoint(12),
}


# Killed


def kill_them(processes: list[int]) -> None:
    for pid in processes:
        kill(pid)


def find_rank(processes: list[int], rank: str) -> int:
    """Return the process of a rank."""
    mark = f"\0LOCAL_RANK={rank}\0".encode()
    (found,) = (pid for pid in processes if mark in Path(f"/proc/{pid}/environ").read_bytes())
    return found


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(training, undisturbed, moment):
    training.stop(MOMENTS[moment], kill_them)
    assert read_results(training.results) == {}
    assert_goes_on(training, undisturbed)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_killed_rank_is_named_and_the_other_does_not_wait_for_it(training, undisturbed, rank):
    stopped = training.stop(has_logged(8), lambda processes: kill(find_rank(processes, rank)))
    assert stopped.returncode == 1
    assert stopped.stdout.splitlines()[-1].endswith(f"rank {rank} was ended by SIGKILL")
    assert_goes_on(training, undisturbed)
    assert "Signal 9 (SIGKILL)" in (training.checkpoints() / "attempts.log").read_text(encoding="utf-8")


def test_a_training_whose_launcher_is_killed_leaves_no_process_that_writes(training, undisturbed):
    training.stop(has_logged(4), lambda processes: kill_them([pid for pid in processes if is_torchrun(pid)]))
    assert_goes_on(training, undisturbed)


def is_torchrun(pid: int) -> bool:
    return b"torch.distributed.run" in Path(f"/proc/{pid}/cmdline").read_bytes()


# Asked to end


def test_a_training_asked_to_end_stops_with_a_checkpoint_and_swanlab_has_one_curve(training, undisturbed):
    def ask(processes: list[int]) -> None:
        for pid in processes:
            os.kill(pid, signal.SIGTERM)

    stopped = training.stop(has_logged(4), ask)
    assert stopped.returncode == 1
    assert stopped.stdout.splitlines()[-1].startswith("stopped at step 8 of 12 with a checkpoint, as SIGTERM asks; ")
    assert_goes_on(training, undisturbed)
    records = list((training.folder / "swanlab").glob("run-*/*.swanlab"))
    assert len(records) == 2 and len({record.name for record in records}) == 1


# Damaged, full, occupied


def test_a_truncated_checkpoint_is_named_and_the_one_before_it_is_used(training, finished, undisturbed):
    shutil.copytree(finished[1] / "checkpoints", training.folder / "checkpoints")
    last = training.checkpoints() / "checkpoint-12"
    optimizer = max(last.rglob("*optim_states.pt"))
    os.truncate(optimizer, optimizer.stat().st_size // 2)
    said = assert_goes_on(training, undisturbed)
    assert f"{last}: not whole, so it is removed" in said
    assert "resume_from_checkpoint" in said and "checkpoint-8" in said


def test_a_disk_that_is_full_at_a_checkpoint_is_named_and_with_more_room_it_goes_on(training, undisturbed):
    training.folder.mkdir()
    with small_disk(training.folder / "checkpoints", 2) as disk:
        ballast = disk / "ballast"  # a checkpoint takes a quarter of a megabyte
        ballast.write_bytes(bytes(1_600_000))
        stopped = training.run()
        assert stopped.returncode == 1
        assert "No space left on device" in stopped.stdout.splitlines()[-1]
        ballast.unlink()
        assert_goes_on(training, undisturbed)


def test_a_second_training_in_the_same_folder_is_refused_and_does_not_disturb_the_first(training, undisturbed):
    refused = []

    def start_another(_: list[int]) -> None:
        refused.append(training.run())

    first = training.stop(has_logged(4), start_another)
    assert refused[0].returncode == 1
    assert "a training is writing checkpoints here" in refused[0].stdout.splitlines()[-1]
    assert first.returncode == 0
    assert read_results(training.results) == undisturbed
