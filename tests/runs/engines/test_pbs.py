"""profiles/pbs with the real plugin, and stand-ins for PBS's commands."""

import pytest

from tests.runs.engines.cluster import ENGINES, TINY_PAIRS, StandIn, options, submit, submit_training
from tests.support.project import ROOT, run_command

pytestmark = pytest.mark.ci("jobs that are submitted in another form than the engine takes")


@pytest.fixture
def pbs(tmp_path):
    """Return stand-ins for PBS's commands."""
    return StandIn(tmp_path / "pbs", ["qsub", "qstat"])


def test_a_training_asks_pbs_for_its_gpus_on_one_host(project, pbs):
    pbs.refuse()
    said = submit_training(project, "pbs", **pbs.environment)
    (asked,) = pbs.calls("qsub")
    chunk = "select=1:ncpus=32:mem=400000mb:ngpus=4:gpu_model=h20"
    assert options(asked, "-l") == [chunk, "walltime=86400"], said.stderr
    assert options(asked, "-v") == [f"TOOLS={ENGINES},STOP_AFTER=85800"]


def test_light_rules_are_one_job_of_pbs_without_a_gpu(project, pbs):
    said = submit(project, "pbs", TINY_PAIRS, **pbs.environment)
    (asked,) = pbs.calls("qsub")
    assert options(asked, "-l") == ["select=1:ncpus=8:mem=16000mb", "walltime=7200"]
    assert said.returncode == 0, said.stderr
    assert (project / TINY_PAIRS).exists()


@pytest.mark.parametrize(("said", "meant"), [("Unknown Job Id 7", "failed"), ("cannot connect to server", "running")])
def test_a_job_that_is_gone_has_failed_and_a_silent_server_says_nothing(tmp_path, said, meant):
    (tmp_path / "qstat").write_text(f"#!/bin/sh\necho 'qstat: {said}' >&2\nexit 1\n")
    (tmp_path / "qstat").chmod(0o755)
    asked = run_command(
        str(ROOT / "profiles" / "qsub" / "status.py"), "pbs", "7", PATH=f"{tmp_path}:{ENGINES}:/usr/bin:/bin"
    )
    assert asked.stdout.strip() == meant, asked.stderr
