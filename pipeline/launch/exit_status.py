"""What the exit status of a command says of its end."""

import signal

LAST_SIGNAL = 64


def signal_of(status: int) -> str:
    """Return the name of the signal that ended a command, such as SIGKILL; nothing if it ended by itself.

    Python has it as a number below zero, and as 256 more where a program passes that on; a shell adds 128.
    """
    number = next((n for n in (-status, 256 - status, status - 128) if 0 < n <= LAST_SIGNAL), 0)
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def describe_status(status: int) -> str:
    """Return how a command ended, with a verb: was ended by SIGKILL; stopped with status 1."""
    name = signal_of(status)
    return f"was ended by {name}" if name else f"stopped with status {status}"
