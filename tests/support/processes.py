"""Processes that tests watch and kill."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE = 120.0  # seconds, for what takes a moment on a machine that is not busy
POLL = 0.002  # seconds


def wait_until(holds: Callable[[], object]) -> bool:
    """Look again and again, within reason; say whether it came true."""
    end = time.monotonic() + PATIENCE
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(POLL)
    return bool(found)


def members(session: int, name: str = "") -> list[int]:
    """Return the processes of a session that are alive, those with a name in their command line."""
    return [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if session_of(folder) == session and is_alive(folder) and says(folder, name)
    ]


def session_of(folder: Path) -> int | None:
    """Return the session of a process, None if it has ended."""
    state = read_state(folder)
    return int(state[3]) if state else None


def is_alive(folder: Path) -> bool:
    """Say whether a process is more than an entry in a table."""
    state = read_state(folder)
    return bool(state) and state[0] not in "ZX"


def read_state(folder: Path) -> list[str]:
    """Return state, parent, group and session of a process; nothing if it has ended."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return []


def says(folder: Path, text: str) -> bool:
    """Say whether a process has a text in its command line."""
    try:
        return text.encode() in (folder / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def named(text: str) -> list[int]:
    """Return the processes that are alive and have a text in their command line, whatever their session."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if is_alive(folder) and says(folder, text)]


def with_variable(assignment: str) -> list[int]:
    """Return the processes that are alive and began with a variable of that value, NAME=value."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if is_alive(folder) and assignment.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def mount_namespace(pid: int | str) -> str:
    """Return the name of the namespace in which a process sees file systems; nothing if it has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def in_mount_namespace(name: str) -> list[int]:
    """Return the processes that are alive and see file systems in a namespace, which must not be that of the tests."""
    assert name != mount_namespace("self")
    if not name:
        return []
    found = [folder for folder in Path("/proc").glob("[0-9]*") if mount_namespace(folder.name) == name]
    return [int(folder.name) for folder in found if is_alive(folder)]


def kill(pid: int) -> None:
    """Kill a process, unless it has ended by itself meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_all(find: Callable[[], list[int]]) -> None:
    """Kill every process that a function finds, until it finds none."""
    while alive := find():
        for pid in alive:
            kill(pid)
        time.sleep(POLL)
