"""Trainings that are stopped in many ways and continue, with real processes, signals and disks: same bytes at the end.

Starts are what takes time. So one training is stopped in each way in turn and started again, until its end, and each
test looks at what one of its starts left behind.

Five epochs of six steps each. Checkpoints are saved at every fourth step and the last, and figures are logged there.
The 23 pairs do not divide between the two processes.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from subprocess import Popen
from typing import Any, BinaryIO

import pytest

from pipeline.training.checkpoints import is_whole
from tests.support.listening import listening_addresses
from tests.support.processes import PATIENCE, kill, kill_all, members, named, wait_until, with_variable
from tests.support.small_disk import small_disk
from tests.support.tutorial_run import (
    FLOAT32,
    build_model,
    read_results,
    start,
    training_command,
    tutorial_pairs,
    write_pairs,
)

pytestmark = pytest.mark.ci("a training that goes on from a kill and ends in other bytes")

STEPS = 30
SETTINGS = FLOAT32 | {
    **{"num_train_epochs": 5, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "logging_steps": 4},
    **{
        "save_strategy": "steps",
        "save_steps": 4,
        "save_total_limit": None,
        "eval_strategy": "epoch",
        "eval_on_start": True,
        "per_device_eval_batch_size": 4,
        "dataloader_num_workers": 0,
        "max_length": 512,
    },
}


@dataclass(frozen=True)
class Left:
    """What one start of a training left behind when all of its processes were gone."""

    status: int
    said: str
    published: dict[str, bytes]
    whole: dict[int, bytes]  # the adapter of each whole checkpoint, by its step
    in_time: bool = True  # it still ran at the moment at which the test stops it
    answer: Any = None  # of the function that stopped it
    alive: tuple[int, ...] = ()  # processes that were still there after its end
    listens: frozenset[str] = frozenset()  # the addresses at which it listened when it was stopped

    @property
    def last_line(self) -> str:
        """The line that says why it stopped."""
        return self.said.splitlines()[-1]

    @property
    def resumed(self) -> set[int]:
        """The step of the checkpoint from which it went on, if it did."""
        return {int(step) for step in re.findall(r"--resume_from_checkpoint \S*/checkpoint-(\d+)\b", self.said)}


class Training:
    """One training on two processes, in a folder: started, stopped, and started again."""

    def __init__(self, model: Path, pairs: Path, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "dpo"
        self.command = training_command(model, pairs, folder, 2, SETTINGS, tracking="offline")

    @contextmanager
    def started(self) -> Iterator[tuple["Popen[bytes]", BinaryIO]]:
        """Start it in a session of its own; yield it, and the file that its output goes into.

        A pipe that nobody reads would stop the training once it is full.
        """
        self.folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile() as said, start(self.command, said, start_new_session=True) as process:
            yield process, said

    def run(self) -> Left:
        """Run it until it ends, however that may be."""
        with self.started() as (process, said):
            process.wait(timeout=5 * PATIENCE)
            return self.look(process, said)

    def stop(self, moment: "Moment", way: "Way") -> Left:
        """Start it, stop it at a moment in some way, and wait for its end."""
        with self.started() as (process, said):
            try:
                reached = wait_until(lambda: moment(self.checkpoints()) or process.poll() is not None)
                in_time = reached and process.poll() is None
                listens = frozenset(map(str, listening_addresses({*self.processes(), *members(process.pid)})))
                answer = way(self) if in_time else None
                ended = in_time and wait_until(lambda: process.poll() is not None and not self.processes())
                alive = () if ended else tuple(self.processes())
            finally:
                kill_all(self.processes)
            process.wait()
            return self.look(process, said, in_time=in_time, answer=answer, alive=alive, listens=listens)

    def look(self, process: "Popen[bytes]", said: BinaryIO, **more: Any) -> Left:
        """Look at everything that a start left behind."""
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
        return Left(process.returncode, text, read_results(self.results), read_whole(self.checkpoints()), **more)

    def processes(self) -> list[int]:
        """Return all of its processes: each has the folder in its command line."""
        return named(str(self.folder))

    def checkpoints(self) -> Path:
        """Return the folder of the checkpoints; one that is not there, before there is any."""
        return next(iter((self.folder / "checkpoints").glob("*/")), self.folder / "none")


Moment = Callable[[Path], bool]
Way = Callable[[Training], object]


def read_whole(checkpoints: Path) -> dict[int, bytes]:
    """Return the adapter of each whole checkpoint, by its step."""
    whole = filter(is_whole, checkpoints.glob("checkpoint-*"))
    return {int(path.name.split("-")[1]): (path / "adapter_model.safetensors").read_bytes() for path in whole}


def find_rank(folder: Path, rank: str) -> list[int]:
    """Return the number of the process of a rank, if it has begun."""
    return sorted({*named(str(folder))} & {*with_variable(f"LOCAL_RANK={rank}")})


# Moments


def has_begun(checkpoints: Path) -> bool:
    """Say whether both processes have begun; it takes seconds until they have loaded their modules."""
    return all(find_rank(checkpoints.parents[1], rank) for rank in ("0", "1"))


def has_logged(checkpoints: Path, step: int) -> bool:
    """Say whether the figures of a step are logged."""
    log = checkpoints / "logging.jsonl"
    return log.is_file() and f'"{step}/{STEPS}"' in log.read_text(encoding="utf-8")


def has_checkpoint(checkpoints: Path, step: int) -> bool:
    """Say whether a checkpoint is whole."""
    return (checkpoints / f"checkpoint-{step}" / "checkpoint.sha256").exists()


def writes_checkpoint(checkpoints: Path, step: int) -> bool:
    """Say whether some files of a checkpoint are there, but not all."""
    folder = checkpoints / f"checkpoint-{step}"
    return folder.is_dir() and any(folder.iterdir()) and not has_checkpoint(checkpoints, step)


# Ways


def kill_everything(training: Training) -> None:
    for pid in training.processes():
        kill(pid)


def kill_launcher(training: Training) -> None:
    for pid in training.processes():
        if b"torch.distributed.run" in Path(f"/proc/{pid}/cmdline").read_bytes():
            kill(pid)


def kill_rank(training: Training, rank: str) -> int:
    """Kill the process of a rank; return its number."""
    (found,) = find_rank(training.folder, rank)
    kill(found)
    return found


def ask_to_end_after_another(training: Training) -> Left:
    """Start a second training in the folder, while the first waits; then ask the first to end. Return the second."""
    first = training.processes()
    for pid in first:
        os.kill(pid, signal.SIGSTOP)
    second = training.run()
    for pid in first:
        os.kill(pid, signal.SIGCONT)
    for pid in first:
        os.kill(pid, signal.SIGTERM)
    return second


# In turn: each moment is later in the training than where the start before it was stopped.
BY_LAUNCHER, BY_RANK, ASKED = "launcher killed after the first checkpoint", "rank {} killed", "asked to end"
BY_LAUNCHER_AT_ONCE = "launcher killed before its processes have loaded"
STOPS: dict[str, tuple[Moment, Way]] = {
    BY_LAUNCHER_AT_ONCE: (has_begun, kill_launcher),
    "killed before the first checkpoint": (partial(has_logged, step=1), kill_everything),
    BY_LAUNCHER: (partial(has_checkpoint, step=4), kill_launcher),
    "killed while a checkpoint is written": (partial(writes_checkpoint, step=8), kill_everything),
    BY_RANK.format(0): (partial(has_logged, step=12), partial(kill_rank, rank="0")),
    ASKED: (partial(has_logged, step=16), ask_to_end_after_another),
    BY_RANK.format(1): (partial(has_logged, step=24), partial(kill_rank, rank="1")),
    "killed while the last checkpoint is written": (partial(writes_checkpoint, step=STEPS), kill_everything),
}
TO_ITS_END = "to its end"
NEXT = dict(pairwise([*STOPS, TO_ITS_END]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return where everything is: `undisturbed`, `stopped`, and a training that a test runs."""
    return tmp_path_factory.mktemp("interruptions")


@pytest.fixture(scope="module")
def run(folder) -> Training:
    """Return the training. All starts share a folder, since paths are in the results."""
    pairs = write_pairs(folder / "pairs.jsonl", tutorial_pairs()[:23])
    build_model(folder, training_steps=2)
    return Training(folder / "packed", pairs, folder / "run")


@pytest.fixture(scope="module")
def undisturbed(run, folder) -> Left:
    """Run the training with nobody to disturb it; return the result."""
    left = run.run()
    assert left.status == 0, left.said[-12000:]
    run.folder.rename(folder / "undisturbed")
    return left


@pytest.fixture(scope="module")
def stopped(run, folder, undisturbed) -> dict[str, Left]:
    """Stop the training in each way in turn, and let it end; return the result of each start."""
    shutil.rmtree(run.folder, ignore_errors=True)
    left = {name: run.stop(*stop) for name, stop in STOPS.items()} | {TO_ITS_END: run.run()}
    run.folder.rename(folder / "stopped")
    return left


@pytest.fixture
def training(run, undisturbed) -> Training:
    """Return the training, not begun."""
    shutil.rmtree(run.folder, ignore_errors=True)
    return run


def assert_ends_as(left: Left, undisturbed: Left) -> None:
    """See that a start ended well, with the bytes of the undisturbed training."""
    assert left.status == 0, left.said[-12000:]
    assert left.published == undisturbed.published


# One training, stopped again and again


@pytest.mark.parametrize("stop", STOPS)
def test_a_training_that_stopped_published_nothing_and_goes_on_from_its_newest_whole_checkpoint(
    stopped, undisturbed, stop
):
    left, then = stopped[stop], stopped[NEXT[stop]]
    assert left.in_time, left.said[-3000:]
    assert set(left.published) <= {"gates.json"}
    assert then.resumed == ({max(left.whole)} if left.whole else set())
    assert then.whole.items() <= undisturbed.whole.items()


def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(stopped, undisturbed):
    assert_ends_as(stopped[TO_ITS_END], undisturbed)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_is_named_and_the_other_does_not_wait_for_it(stopped, folder, rank):
    left = stopped[BY_RANK.format(rank)]
    assert left.status == 1
    assert left.last_line.endswith(f"rank {rank} was ended by SIGKILL")
    (attempts,) = (folder / "stopped" / "checkpoints").glob("*/attempts.log")
    assert f"Signal 9 (SIGKILL) received by PID {left.answer}\n" in attempts.read_text(encoding="utf-8")


@pytest.mark.parametrize("stop", [BY_LAUNCHER_AT_ONCE, BY_LAUNCHER])
def test_a_training_whose_launcher_is_killed_leaves_no_process_that_writes(stopped, stop):
    assert stopped[stop].status == 1
    assert stopped[stop].alive == ()


def test_a_training_on_one_machine_listens_to_that_machine_alone(stopped):
    assert {address for left in stopped.values() for address in left.listens} == {"127.0.0.1"}


def test_a_training_asked_to_end_stops_with_a_checkpoint_and_swanlab_has_one_curve(stopped, folder):
    left = stopped[ASKED]
    assert left.status == 1
    assert left.last_line.startswith(f"stopped at step 20 of {STEPS} with a checkpoint, as SIGTERM asks; ")
    assert max(left.whole) == 20
    records = list((folder / "stopped" / "swanlab").glob("run-*/*.swanlab"))
    recorded = set(stopped) - {BY_LAUNCHER_AT_ONCE}
    assert len(records) == len(recorded) and len({record.name for record in records}) == 1


def test_a_second_training_in_the_same_folder_is_refused_and_does_not_disturb_the_first(stopped, undisturbed):
    first, second = stopped[ASKED], stopped[ASKED].answer
    assert second.status == 1
    assert "a training is writing checkpoints here" in second.last_line
    assert first.whole[20] == undisturbed.whole[20]


# Damaged, full


def test_a_truncated_checkpoint_is_named_and_the_one_before_it_is_used(training, folder, undisturbed):
    shutil.copytree(folder / "undisturbed" / "checkpoints", training.folder / "checkpoints")
    last = training.checkpoints() / f"checkpoint-{STEPS}"
    optimizer = max(last.rglob("*optim_states.pt"))
    os.truncate(optimizer, optimizer.stat().st_size // 2)
    left = training.run()
    assert_ends_as(left, undisturbed)
    assert f"{last}: not whole, so it is removed" in left.said
    assert left.resumed == {28}


def test_a_disk_that_is_full_at_a_checkpoint_is_named_and_with_more_room_it_goes_on(training, undisturbed):
    training.folder.mkdir()
    with small_disk(training.folder / "checkpoints", 4) as disk:
        ballast = disk / "ballast"  # a checkpoint takes a quarter of a megabyte
        ballast.write_bytes(bytes(3_700_000))
        stopped = training.run()
        assert stopped.status == 1
        assert "No space left on device" in stopped.last_line
        ballast.unlink()
        assert_ends_as(training.run(), undisturbed)
