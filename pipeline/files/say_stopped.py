"""Ctrl-C ends a program with one line, also while it still loads its modules."""

import sys
from types import TracebackType


def say_stopped() -> None:
    """From now on, say in one line that Ctrl-C ended the program; other errors keep their traceback."""
    sys.excepthook = show


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an error that nothing caught."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
