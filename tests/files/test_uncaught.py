"""uncaught.py: Ctrl-C and a missing package are one line in every script and tool; a fault keeps its traceback."""

import signal
import subprocess
import sys

import pytest

from tests.support.project import ROOT


def end_with(package: str, error: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a package that ends with an error."""
    words = [sys.executable, "-c", f"import {package}\nraise {error}"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["scripts", "tools"])
def test_ctrl_c_that_nothing_caught_is_one_line(package):
    done = end_with(package, "KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "stopped\n")


def test_another_error_keeps_its_traceback():
    assert end_with("scripts", "ValueError('a fault')").stderr.startswith("Traceback ")


@pytest.mark.parametrize("package", ["scripts", "tools"])
def test_a_package_that_is_not_there_is_one_line_that_says_how_to_run_it(package):
    done = end_with(package, "ModuleNotFoundError('no', name='nowhere')")
    assert done.stderr.endswith("or envs/with-training before a command that loads a model\n")
    assert done.stderr.startswith(f"{sys.executable}: has no package nowhere; run make setup and ")
