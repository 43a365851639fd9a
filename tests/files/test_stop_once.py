"""stop_once.py: the first signal ends a program, and the next ones do not disturb its end."""

import os
import signal

import pytest

from pipeline.files.stop_once import Stopped, hear_ctrl_c_once, stop_once


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


def test_afterwards_signals_mean_what_they_meant():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_once():
        pass
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_ctrl_c_is_not_heard():
    before = signal.getsignal(signal.SIGINT)
    try:
        hear_ctrl_c_once()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
