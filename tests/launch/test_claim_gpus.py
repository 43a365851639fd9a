"""claim_gpus.py: each job has GPUs of its own, and nobody's busy ones. nvidia-smi is a stand-in for two files."""

import os
import subprocess
import sys

import pytest

from tests.support.project import ROOT

NVIDIA_SMI = """#!/bin/sh
case "$*" in
*query-gpu*) cat "$GPUS" ;;
*query-compute-apps*) cat "$BUSY" ;;
esac
"""
# Holds its claim until it is told to end.
JOB = """
import os, sys
from pathlib import Path
from pipeline.launch import claim_gpus

claim_gpus.LOCKS, claim_gpus.POLL_SECONDS = Path(os.environ["LOCKS"]), 0.05
claims = claim_gpus.claim_gpus(int(sys.argv[1]), "train.gpus")
print("has", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
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

    def start(self, count, **environment):
        """Start a job that wants GPUs."""
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, str(count)],
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
    second = machine.start(2)
    assert second.stdout.readline() == (
        "waiting for 2 free GPUs (train.gpus): other runs of this project have claimed them\n"
    )
    machine.stop(first)
    assert machine.gpus_of(second) == "0,1"


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


def test_more_cards_than_there_are_is_refused_at_once(machine):
    job = machine.start(5)
    assert job.communicate()[0] == ("train.gpus is 5, but 4 GPUs are visible here; lower it, or run where they are\n")
    assert job.returncode == 1


def test_under_slurm_the_cards_that_it_handed_out_are_taken_as_they_are(machine):
    assert machine.gpus_of(machine.start(2, SLURM_JOB_ID="1", CUDA_VISIBLE_DEVICES="2,3")) == "2,3"


def test_without_gpus_nothing_is_claimed(machine):
    assert machine.gpus_of(machine.start(0)) == "None"
