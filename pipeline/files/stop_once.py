"""Let Ctrl-C and SIGTERM end a program once, so that what it tidies up at its end is not cut short by the next one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """The program is to end: it was asked to, in these words."""


@contextmanager
def stop_once() -> Iterator[None]:
    """Raise Stopped at the first of these signals, and ignore those that follow."""
    before = {number: signal.signal(number, raise_stopped) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hear_ctrl_c_once() -> None:
    """Ignore each Ctrl-C after the first one: Snakemake would print tracebacks at the next."""

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def raise_stopped(number: int, frame: Any) -> None:
    """End what runs."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped("stopped" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}")
