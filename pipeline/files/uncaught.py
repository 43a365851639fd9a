"""What a program says of an error that nothing caught: one line for Ctrl-C and for a package that is not there."""

import sys
from types import TracebackType


def explain_uncaught() -> None:
    """From now on, say in one line what the user did; faults of the code keep their traceback."""
    sys.excepthook = show


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an error that nothing caught."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
    elif isinstance(error, ModuleNotFoundError):
        print(
            f"{sys.executable}: has no package {error.name}; run make setup and . .venv/bin/activate first, "
            "or envs/with-training before a command that loads a model",
            file=sys.stderr,
        )
    else:
        sys.__excepthook__(kind, error, trace)
