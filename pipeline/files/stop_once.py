"""Let Ctrl-C and SIGTERM end a program once, so that what it tidies up at its end is not cut short by the next one."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SOON = 0.01  # seconds


class Stopped(KeyboardInterrupt):
    """The program is to end: it was asked to by this signal, which the text says in words."""

    def __init__(self, number: int) -> None:
        super().__init__("stopped" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def stop_once() -> Iterator[None]:
    """Raise Stopped at the first of these signals, and ignore those that follow."""
    before = {number: signal.signal(number, raise_stopped) for number in SIGNALS}
    hook, sys.unraisablehook = sys.unraisablehook, send_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def hear_ctrl_c_once() -> None:
    """Ignore each Ctrl-C after the first one: Snakemake would print tracebacks at the next."""
    signal.signal(signal.SIGINT, raise_stopped)
    sys.unraisablehook = send_again


def raise_stopped(number: int, frame: Any) -> None:
    """End what runs."""
    for each in SIGNALS:
        if signal.getsignal(each) is raise_stopped:
            signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


def send_again(unraisable: Any) -> None:
    """Send a signal a second time, soon, if it came in `__del__` or a callback: Python ignores what is raised there."""
    stopped = unraisable.exc_value
    if not isinstance(stopped, Stopped):
        sys.__unraisablehook__(unraisable)
        return
    signal.signal(stopped.number, raise_stopped)
    Timer(SOON, os.kill, (os.getpid(), stopped.number)).start()
