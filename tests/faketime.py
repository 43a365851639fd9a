"""Run a command on another day: the environment in which libfaketime moves the clock of every process in it.

The library is Debian's (libfaketime 0.9.10): the installed one, or else its package is fetched with apt-get and
unpacked into pytest's cache, which needs no root. Files keep their real times, and so do clocks that only measure.
"""

import os
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "d" / "libfaketime"
NAME = "faketime/libfaketimeMT.so.1"

# What Python needs beside the library.
SITE = Path(__file__).parent / "moved_clock"


def find_library(root: Path) -> Path | None:
    """Return the library in /usr/lib or the like below a folder, if it is there."""
    return next(iter(sorted(root.glob(f"usr/lib/*/{NAME}"))), None)


def fetch_library() -> Path:
    """Return the library from the cache, where the package is unpacked first if need be."""
    if found := find_library(CACHE):
        return found
    download = ["apt-get", "download", "libfaketime"]
    if subprocess.run(download, cwd=CACHE, check=False, capture_output=True).returncode:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(download, cwd=CACHE, check=True, capture_output=True)
    (package,) = CACHE.glob("libfaketime_*.deb")
    subprocess.run(["dpkg", "-x", package.name, "."], cwd=CACHE, check=True)
    found = find_library(CACHE)
    assert found, f"no {NAME} in {package}"
    return found


def environment(days: int) -> dict[str, str]:
    """Return what to add to the environment of a command, so that its clock is `days` ahead (or behind, below 0)."""
    CACHE.mkdir(parents=True, exist_ok=True)
    library = find_library(Path("/")) or fetch_library()
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{days:+d}d",
        "FAKETIME_CACHE_DURATION": str(7 * 24 * 3600),  # seconds, after which it would read FAKETIME again
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "FAKE_UTIME": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH")])),
    }
