"""profiles/sge with the real plugin, on a real Grid Engine."""

import os
import shutil
import signal
import subprocess

import pytest

from tests.runs.engines.cluster import ENGINES, TINY_PAIRS, pretend_pairs, snakemake, submit, training_command
from tests.runs.engines.grid_engine import GridEngine
from tests.support.processes import wait_until
from tests.support.project import run_command

pytestmark = pytest.mark.ci("jobs that are submitted in another form than the engine takes")

# A job that ends when it is asked to, as a training does, and says that it was.
PATIENT = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: (Path("told").touch(), sys.exit(1)))
Path("started").touch()
while True:
    signal.pause()
"""
# A clock that strikes when the job is there to hear it.
CLOCK = """
from pathlib import Path
from time import sleep
while not Path("started").exists():
    sleep(0.05)
"""


@pytest.fixture(scope="module")
def grid_engine(tmp_path_factory):
    """Return a Grid Engine that runs."""
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.skip("needs root, and Debian's packages")
    with GridEngine(tmp_path_factory.mktemp("sge") / "engine") as engine:
        path = os.pathsep.join([str(engine.programs), str(ENGINES), os.environ["PATH"]])
        engine.environment["PATH"] = path
        yield engine


@pytest.fixture
def jobs(grid_engine):
    """Return a function that returns the numbers of the jobs in the queue."""
    return lambda: [line.split()[0] for line in grid_engine.ask("qstat").splitlines()[2:]]


def test_light_rules_are_one_job_of_grid_engine(project, grid_engine):
    said = submit(project, "sge", TINY_PAIRS, **grid_engine.environment)
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("Submitted group job") == 1
    assert (project / TINY_PAIRS).exists()


def test_a_training_asks_grid_engine_for_its_gpus_and_leaves_the_queue_at_ctrl_c(project, grid_engine, jobs):
    pretend_pairs(project)
    environment = os.environ | grid_engine.environment
    with subprocess.Popen(training_command("sge"), cwd=project, env=environment, stderr=subprocess.DEVNULL) as running:
        assert wait_until(jobs)  # and waits there: no host has so much memory free
        asked = grid_engine.ask("qstat", "-j", jobs()[0])
        running.send_signal(signal.SIGINT)
    limits = next(line for line in asked.splitlines() if line.startswith("hard resource_list"))
    assert set(limits.split()[-1].split(",")) == {"gpu=4", "gpu_model=h20", "mem_free=400000M", "h_rt=86400"}
    assert "smp range: 32" in asked
    assert "STOP_AFTER=85800" in asked
    assert wait_until(lambda: not jobs())


def test_a_job_hears_before_its_time_is_up(project, grid_engine):
    (project / "patient.py").write_text(PATIENT)
    (project / "patient.smk").write_text('rule patient:\n    output: "never"\n    shell: "exec python patient.py"\n')
    (project / "clock.py").write_text(CLOCK)
    script = project / "profiles" / "qsub" / "jobscript.sh"
    script.write_text(script.read_text().replace('sleep "$STOP_AFTER"', "python clock.py"))
    asked = ["--default-resources", "sge_pe=smp", "mem_mb=100", "runtime=30", "minutes_to_stop=10"]
    said = run_command(*snakemake("sge", "--snakefile", "patient.smk", *asked), cwd=project, **grid_engine.environment)
    assert (project / "told").exists(), said.stderr
    assert said.returncode == 1


def test_a_host_without_such_gpus_gets_no_training(project, grid_engine):
    fits = ["qsub", "-w", "v", "-b", "y", "-l"]
    assert "found suitable queue" in grid_engine.ask(*fits, "gpu=4,gpu_model=h20", "true")
    assert "found suitable queue" not in grid_engine.ask(*fits, "gpu=4,gpu_model=h100", "true")
    assert "found suitable queue" not in grid_engine.ask(*fits, "gpu=5,gpu_model=h20", "true")
