"""A terminal of a given width, in which a test runs a command."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

CTRL_C = b"\x03"
ROWS = 24


def run_in_terminal(
    command: Sequence[str], cwd: Path, columns: int, path: str, interrupt_at: bytes = b""
) -> tuple[int, str]:
    """Run a command in a folder and a terminal; return its exit status and all that it wrote there.

    `path` is the PATH of the command. Once `interrupt_at` was written, Ctrl-C is pressed.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        [*LEADER, *command],
        cwd=cwd,
        env=environment | {"PATH": path, "TERM": "xterm"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as process:
        os.close(its)
        written = b""
        while chunk := read_some(ours):
            written += chunk
            if interrupt_at and interrupt_at in written:
                os.write(ours, CTRL_C)
                interrupt_at = b""
    os.close(ours)
    return process.returncode, written.decode("utf-8", "replace")


# Make the terminal that of the session, so that it has somebody to send Ctrl-C to.
LEADER = (
    "python3",
    "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])",
)


def read_some(terminal: int) -> bytes:
    """Return the next output, empty at the end: a terminal that everybody has closed is an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""
