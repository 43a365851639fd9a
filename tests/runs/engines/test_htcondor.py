"""profiles/htcondor with the real plugin and HTCondor's bindings, and a stand-in for its queue."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.engines.cluster import TINY_PAIRS, StandIn, submit, submit_training
from tests.support.processes import wait_until
from tests.support.project import ROOT

pytestmark = pytest.mark.ci("jobs that are submitted in another form than the engine takes")

# Two processes, as Snakemake and a training are: the second is to hear what the first is told.
FAMILY = """
import signal, subprocess, sys
from pathlib import Path
if sys.argv[1:]:
    signal.signal(signal.SIGTERM, lambda *_: (Path("told").touch(), sys.exit(3)))
    Path("started").touch()
    signal.pause()
signal.signal(signal.SIGTERM, lambda *_: None)
sys.exit(subprocess.call([sys.executable, __file__, "child"]))
"""


@pytest.fixture
def condor(tmp_path):
    """Return a stand-in for HTCondor's queue."""
    queue = StandIn(tmp_path / "condor", [])
    queue.environment |= {"PYTHONPATH": str(Path(__file__).with_name("condor")), "CONDOR_CONFIG": "/dev/null"}
    return queue


def submitted(queue: StandIn) -> list[dict[str, str]]:
    """Return each job's description as HTCondor's own submit language has it."""
    texts = [file.read_text() for file in sorted(queue.folder.glob("*.submit"))]
    return [dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line) for text in texts]


def test_a_training_asks_htcondor_for_its_gpus_and_for_time_to_stop(project, condor):
    condor.refuse()
    said = submit_training(project, "htcondor", **condor.environment)
    assert submitted(condor), said.stderr
    (asked,) = submitted(condor)
    assert (asked["request_gpus"], asked["require_gpus"]) == ("4", 'DeviceName == "NVIDIA H20"')
    assert (asked["request_memory"], asked["job_max_vacate_time"]) == ("400000MB", "600")


def test_light_rules_are_one_job_of_htcondor_without_a_gpu(project, condor):
    said = submit(project, "htcondor", TINY_PAIRS, **condor.environment)
    assert submitted(condor), said.stderr
    (asked,) = submitted(condor)
    assert "request_gpus" not in asked
    assert said.returncode == 0, said.stderr
    assert (project / TINY_PAIRS).exists()


def test_a_job_passes_on_what_htcondor_tells_it_and_ends_as_its_command_does(tmp_path):
    (tmp_path / "family.py").write_text(FAMILY)
    command = [str(ROOT / "profiles" / "htcondor" / "start.sh"), sys.executable, "family.py"]
    with subprocess.Popen(command, cwd=tmp_path, env={}) as job:
        assert wait_until((tmp_path / "started").exists)
        os.kill(job.pid, signal.SIGTERM)
    assert job.returncode == 3
    assert (tmp_path / "told").exists()
