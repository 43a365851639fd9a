"""Ctrl-C to a run, though it comes twice: Snakemake ends its jobs, and nothing prints a traceback on the screen."""

import os
import signal
from subprocess import PIPE, STDOUT, Popen

import pytest

from tests.support.processes import PATIENCE, kill, members, wait_until
from tests.support.project import ROOT


@pytest.mark.ci("a traceback where a person only pressed Ctrl-C")
def test_ctrl_c_twice_ends_a_run_without_a_traceback(project):
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    log = project / "results" / "tiny" / "logs" / "build_tiny_model.log"
    command = ["snakemake", "--cores", "2", "results/tiny/model.sha256"]
    environment = {**os.environ, "PATH": path}
    with Popen(
        command, cwd=project, env=environment, start_new_session=True, stdout=PIPE, stderr=STDOUT, text=True
    ) as run:
        try:
            assert wait_until(lambda: log.is_file() and "step 1/" in log.read_text(encoding="utf-8"))
            os.killpg(run.pid, signal.SIGINT)
            assert wait_until(lambda: log.read_text(encoding="utf-8").endswith("\nstopped\n"))
            os.killpg(run.pid, signal.SIGINT)
            said, _ = run.communicate(timeout=PATIENCE)
        finally:
            for member in members(run.pid):
                kill(member)
    assert run.returncode == 1
    assert "Traceback" not in said, said
    assert "--settings" not in said, said  # of the command of the job
    assert "build_tiny_model stopped by you; the same command goes on  [" in said
    assert not (project / "results" / "tiny" / "model.sha256").exists()
