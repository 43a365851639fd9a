"""What people, make and continuous integration run."""

import sys
from types import TracebackType


def explain_missing(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one line how a tool is run, where this Python lacks a package of it."""
    if not isinstance(error, ModuleNotFoundError):
        return sys.__excepthook__(kind, error, trace)
    print(
        f"{sys.executable}: has no package {error.name}; run make setup and . .venv/bin/activate first, "
        "or envs/with-training before a command that loads a model",
        file=sys.stderr,
    )


sys.excepthook = explain_missing
