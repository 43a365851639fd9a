"""Find jobs of Slurm that still run although their snakemake was killed, and could not cancel them.

Snakemake knows nothing of them after `--unlock`, and would submit the same work again beside them.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def refuse_living_jobs(targets: Iterable[str], folder: Path) -> None:
    """Stop with one line if a job of Slurm, queued or running, was submitted in `folder` for one of these targets.

    A target is a rule with its wildcards, as Snakemake writes it into a job: train_dpo:run=tiny.
    """
    if not shutil.which("squeue"):
        return
    wanted = [f"'{target}'" for target in targets]
    for job in jobs_in(folder):
        script = ask_slurm("scontrol", "write", "batch_script", job, "-")
        if found := [target for target in wanted if target in script]:
            sys.exit(
                f"Slurm job {job}, left by an earlier snakemake, is still queued or running for {found[0]}; "
                f"wait for its end, or end it (scancel {job}), and start again: a training goes on from its checkpoint"
            )


def jobs_in(folder: Path) -> list[str]:
    """Return the numbers of this user's jobs, queued or running, that work in a folder."""
    listed = [line.partition("|") for line in ask_slurm("squeue", "--me", "--noheader", "--format=%i|%Z").splitlines()]
    return [job for job, _, work in listed if Path(work) == folder]


def ask_slurm(*command: str) -> str:
    """Return the output of a command of Slurm; an empty text if it fails, as it does if a job has just ended."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
