"""Run a command of a benchmark; stop if it fails."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_or_stop(
    folder: Path, *command: object, env: Mapping[str, str] | None = None, stderr: int = subprocess.PIPE
) -> str:
    """Run a command in a folder and return its output; end with its last words if it fails.

    With `stderr` of subprocess.STDOUT, that is part of the output, too.
    """
    words = list(map(str, command))
    done = subprocess.run(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: status {done.returncode}\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
