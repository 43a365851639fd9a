"""Run a command on another day: the environment that moves the clock of every process in it."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
LIBRARY = Path(__file__).parents[2] / ".pytest_cache" / "d" / "another_day.so"


def build_library() -> Path:
    """Compile another_day.c into pytest's cache, if it is not there yet; gcc is Debian's, installed if need be."""
    if not LIBRARY.exists() or LIBRARY.stat().st_mtime < SOURCE.stat().st_mtime:
        if not shutil.which("gcc"):
            subprocess.run(["apt-get", "install", "--yes", "--quiet", "gcc", "libc6-dev"], check=True)
        LIBRARY.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(LIBRARY), str(SOURCE)]
        subprocess.run(command, check=True)
    return LIBRARY


def environment(days: int) -> dict[str, str]:
    """Return the variables for the environment of a command, so that its clock is `days` ahead (or behind, below 0)."""
    return {"LD_PRELOAD": str(build_library()), "MOVE_CLOCK": str(days * 24 * 3600)}
