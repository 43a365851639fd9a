"""stop_once.py: the first signal ends a program, and the next ones do not disturb its end."""

import os
import signal
import sys
import time

import pytest

from pipeline.files.stop_once import Stopped, hear_ctrl_c_once, stop_once
from tests.support.processes import PATIENCE


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "stopped"), (signal.SIGTERM, "ended by SIGTERM")])
def test_signals_while_a_program_tidies_up_are_ignored(number, said):
    tidied = False
    with pytest.raises(Stopped, match=f"^{said}$"), stop_once():
        try:
            os.kill(os.getpid(), number)
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), each)
            tidied = True
    assert tidied


class Dying:
    """An object in whose last moment a signal comes: Python ignores what is raised there."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "stopped"), (signal.SIGTERM, "ended by SIGTERM")])
def test_a_signal_that_comes_where_python_ignores_what_is_raised_still_ends_the_program_without_a_word(
    number, said, capsys
):
    with pytest.raises(Stopped, match=f"^{said}$"), stop_once():
        Dying(number)
        time.sleep(PATIENCE)
    assert capsys.readouterr().err == ""


def test_what_is_ignored_and_is_not_a_signal_is_still_printed(capsys):
    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    with stop_once():
        Broken()
    assert "ValueError: broken" in capsys.readouterr().err


def test_afterwards_signals_mean_what_they_meant():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_once():
        pass
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_ctrl_c_is_not_heard():
    before, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    try:
        hear_ctrl_c_once()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook
