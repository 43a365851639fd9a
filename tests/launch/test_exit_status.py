"""exit_status.py: the signal that ended a command, by whom its status was passed on."""

import subprocess
import sys

import pytest

from pipeline.launch.exit_status import describe_status, signal_of


@pytest.mark.parametrize(
    ("status", "name"),
    [
        *((status, "SIGKILL") for status in (-9, 137, 247)),
        *((status, "SIGTERM") for status in (-15, 143, 241)),
        *((status, "SIGINT") for status in (-2, 130, 254)),
        *((status, "") for status in (0, 1, 2, 127, 128)),
    ],
)
def test_the_signal_that_ended_a_command_is_known_by_its_status(status, name):
    assert signal_of(status) == name


@pytest.mark.parametrize("code", ["os.kill(os.getpid(), 9)", "sys.exit(-9)", "sys.exit(128 + 9)"])
def test_a_command_that_was_killed_is_said_to_be_however_its_status_was_passed_on(code):
    done = subprocess.run([sys.executable, "-c", f"import os, sys; {code}"], check=False)
    assert describe_status(done.returncode) == "was ended by SIGKILL"


def test_a_command_that_ended_by_itself_has_its_status():
    assert describe_status(3) == "stopped with status 3"
