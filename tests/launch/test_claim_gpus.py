"""claim_gpus.py: each job has GPUs of its own, and nobody's busy ones. nvidia-smi is a stand-in for two files."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.launch import claim_gpus
from tests.support.project import ROOT

# A wrong claim can leave a job waiting without end.
pytestmark = pytest.mark.timeout(30)

OPEN_FILES = Path("/proc/self/fd")
NVIDIA_SMI = """#!/bin/sh
case "$*" in
*query-gpu*) cat "$GPUS" ;;
*query-compute-apps*) cat "$BUSY" ;;
esac
"""
# Holds its claim until it is told to end, or with a second argument ends at once and leaves it to a child.
JOB = """
import os, subprocess, sys
from pathlib import Path
from pipeline.launch import claim_gpus

claim_gpus.LOCKS, claim_gpus.POLL_SECONDS = Path(os.environ["LOCKS"]), 0.05
claims = claim_gpus.claim_gpus(int(sys.argv[1]), "train.gpus")
print("has", os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("CUDA_DEVICE_ORDER"), flush=True)
if sys.argv[2:]:
    subprocess.Popen(["cat"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=claims)
else:
    sys.stdin.read()
"""


class Machine:
    """A machine of four GPUs, as nvidia-smi describes it, and jobs on it."""

    def __init__(self, folder):
        self.busy = folder / "busy"
        self.jobs = []
        (folder / "nvidia-smi").write_text(NVIDIA_SMI, encoding="utf-8")
        (folder / "nvidia-smi").chmod(0o755)
        (folder / "gpus").write_text("".join(f"{n}, GPU-{n}\n" for n in range(4)), encoding="utf-8")
        self.busy.touch()
        self.environment = os.environ | {
            **{"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            **{"GPUS": str(folder / "gpus"), "BUSY": str(self.busy), "LOCKS": str(folder / "locks")},
        }

    def start(self, *words, **environment):
        """Start a job that wants GPUs."""
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, *map(str, words)],
            env=self.environment | environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.jobs.append(job)
        return job

    def gpus_of(self, job):
        """Return the GPUs that a job was given; wait for it."""
        for line in job.stdout:
            if line.startswith("has "):
                return line.split()[1]
        return None

    def stop(self, job):
        """Let a job end."""
        job.stdin.close()
        job.wait()
        job.stdout.close()


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    for job in machine.jobs:
        job.kill()
        machine.stop(job)


def test_two_jobs_have_different_gpus(machine):
    jobs = [machine.start(2), machine.start(2)]
    assert sorted(map(machine.gpus_of, jobs)) == ["0,1", "2,3"]


def test_a_job_waits_until_there_are_enough_and_says_for_what(machine):
    first = machine.start(3)
    assert machine.gpus_of(first) == "0,1,2"
    second = machine.start(4)  # with fewer, it might take what is free before the first has given back all
    assert second.stdout.readline() == (
        "waiting for 4 free GPUs (train.gpus): other runs of this project have claimed them\n"
    )
    machine.stop(first)
    assert machine.gpus_of(second) == "0,1,2,3"


def test_a_job_keeps_its_gpus_as_long_as_a_child_of_it_lives(machine):
    first = machine.start(4, "leaves them to a child")
    assert machine.gpus_of(first) == "0,1,2,3"
    first.wait()
    second = machine.start(4)
    assert second.stdout.readline().startswith("waiting for 4 free GPUs")
    machine.stop(first)
    assert machine.gpus_of(second) == "0,1,2,3"


def test_a_killed_job_gives_its_gpus_back(machine):
    first = machine.start(4)
    assert machine.gpus_of(first) == "0,1,2,3"
    first.kill()
    assert machine.gpus_of(machine.start(4)) == "0,1,2,3"


def test_a_card_that_somebody_computes_on_is_left_alone(machine):
    machine.busy.write_text("GPU-1, 4711\n", encoding="utf-8")
    assert machine.gpus_of(machine.start(3)) == "0,2,3"


def test_a_job_that_needs_a_busy_card_waits_and_names_who_has_it(machine):
    machine.busy.write_text("GPU-1, 4711\n", encoding="utf-8")
    job = machine.start(4)
    assert job.stdout.readline() == "waiting for 4 free GPUs (train.gpus): GPU 1 is used by process 4711\n"
    machine.busy.write_text("", encoding="utf-8")
    assert machine.gpus_of(job) == "0,1,2,3"


def test_only_the_cards_that_are_visible_already_are_taken(machine):
    assert machine.gpus_of(machine.start(2, CUDA_VISIBLE_DEVICES="3,1")) == "1,3"


def test_cards_may_be_visible_by_their_uuids(machine):
    assert machine.gpus_of(machine.start(2, CUDA_VISIBLE_DEVICES="GPU-3,GPU-1")) == "1,3"


def test_numbers_of_cards_are_in_the_order_of_the_driver(machine):
    job = machine.start(1, CUDA_DEVICE_ORDER="FASTEST_FIRST")
    assert job.communicate()[0].endswith("has 0 PCI_BUS_ID\n")


def test_more_cards_than_there_are_is_refused_at_once(machine):
    job = machine.start(5)
    assert job.communicate()[0] == ("train.gpus is 5, but 4 GPUs are visible here; lower it, or run where they are\n")
    assert job.returncode == 1


def test_under_slurm_the_cards_that_it_handed_out_are_taken_as_they_are(machine):
    assert machine.gpus_of(machine.start(2, SLURM_JOB_ID="1", CUDA_VISIBLE_DEVICES="2,3")) == "2,3"


def test_fewer_cards_than_asked_for_from_slurm_are_refused(machine):
    job = machine.start(2, SLURM_JOB_ID="1", CUDA_VISIBLE_DEVICES="2")
    assert job.communicate()[0] == ("train.gpus is 2, but 1 GPUs are visible here; lower it, or run where they are\n")
    assert job.returncode == 1


def test_without_gpus_nothing_is_claimed(machine):
    assert machine.gpus_of(machine.start(0)) == "None"


@pytest.fixture
def locks(tmp_path, monkeypatch):
    """Return the folder of locks that this process uses, where no card is busy."""
    monkeypatch.setattr(claim_gpus, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(claim_gpus, "list_users", dict)
    return claim_gpus.LOCKS


def test_nobody_else_chooses_meanwhile(locks, monkeypatch):
    def look():
        with (locks / "choosing").open() as another, pytest.raises(BlockingIOError):
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return {}

    monkeypatch.setattr(claim_gpus, "list_users", look)
    assert claim_gpus.try_to_claim([], 1) == {}


def test_a_job_that_waits_keeps_no_file_open(locks):
    card, free = (claim_gpus.Gpu(number, f"GPU-{number}") for number in "01")
    claimed = claim_gpus.try_to_claim([card], 1)
    before = list(OPEN_FILES.iterdir())
    assert claim_gpus.try_to_claim([card, free], 2) == {}
    assert list(OPEN_FILES.iterdir()) == before
    os.close(claimed[card])


def test_every_user_of_the_machine_may_lock_the_files(locks):
    before = os.umask(0o077)
    try:
        with claim_gpus.one_at_a_time():
            pass
        assert os.umask(0o077) == 0o077, "the umask is not as it was"
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (locks, locks / "choosing")]
    assert modes == [0o1777, 0o666]
