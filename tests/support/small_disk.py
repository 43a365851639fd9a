"""A disk that is soon full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int, mode: str = "rw") -> Iterator[Path]:
    """Mount a file system of a few megabytes in memory (`mode` ro: to read only); skip where that is not allowed."""
    folder.mkdir(exist_ok=True)
    if not (shutil.which("mount") and shutil.which("umount")):
        pytest.skip("there is no mount command here")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{mode},size={megabytes}m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
