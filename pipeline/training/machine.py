"""Record what differs from run to run of one training: the machine, the time it took, and the code.

These files are logs and not results: another machine or another day writes other ones. They name neither the
host nor the user, and no path outside the project.
"""

import json
import os
import platform
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files.hide_private import hide_private
from pipeline.files.json_lines import read_json_lines, replace_files, write_json_lines
from pipeline.launch.claim_gpus import ask_driver

COMMAND = "RUN_COMMAND"  # of the environment
GIB = 1 << 30


def describe_command(overlays: Sequence[Path], settings: Sequence[str]) -> str:
    """Return how snakemake is called for this run: its overlays and the settings given by --config.

    An overlay outside the working folder is there by its name alone.
    """
    here = Path.cwd()
    names = [str(path.relative_to(here)) if path.is_relative_to(here) else path.name for path in overlays]
    words = ["--configfile", *names] if names else []
    own = ["--config", *map(hide_private, settings)] if settings else []
    return shlex.join(["snakemake", "--cores", "all", *words, *own])


@dataclass(frozen=True)
class Start:
    """When a training began, and from which code."""

    seconds: float  # since 1970
    commit: str | None
    changed: list[str]  # files that the commit has otherwise, or not at all
    untracked: list[str]  # overlays of the run, and code, that git does not track


def note_start(*stale: Path) -> Start:
    """Return the start of a training, now. `stale` are records of an earlier one, which are removed."""
    for path in stale:
        path.unlink(missing_ok=True)
    commit = ask_git("rev-parse", "HEAD")
    changed = list_files("diff", "--name-only", "--relative", "-z", "HEAD")
    return Start(time.time(), commit and commit.strip(), changed, list_untracked() if commit else [])


def list_untracked() -> list[str]:
    """Return the overlays of the run that git does not track, and the code; a user's other files change no result."""
    overlays = read_overlays(os.environ.get(COMMAND, ""))
    tracked = list_files("ls-files", "-z", "--", *overlays) if overlays else []
    code = list_files("ls-files", "--others", "--exclude-standard", "-z", "--", "*.py", "*.smk")
    return [*(name for name in overlays if name not in tracked), *code]


def read_overlays(command: str) -> list[str]:
    """Return the overlays in a command as describe_command writes it."""
    _, _, after = command.partition(" --configfile ")
    return shlex.split(after.partition(" --config ")[0])


def list_files(*words: str) -> list[str]:
    """Return the files that git names, with zeros between them."""
    return list(filter(None, (ask_git(*words) or "").split("\0")))


def ask_git(*words: str) -> str | None:
    """Return the output of git; None if git is not installed, or if the project is not a clone with a commit."""
    try:
        said = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return said.stdout if said.returncode == 0 else None


def write_machine(path: Path, start: Start, nodes: int, gpus: int) -> None:
    """Write the record of a training that ends now: of this machine, the first of `nodes`, with `gpus` on each."""
    ended = time.time()
    record = {
        "commit": start.commit,
        "uncommitted_changes": bool(start.changed or start.untracked) if start.commit else None,
        "changed_files": start.changed,
        "untracked_files": start.untracked,
        "command": os.environ.get(COMMAND),
        "started": in_utc(start.seconds),
        "ended": in_utc(ended),
        "seconds": round(ended - start.seconds, 1),
        "nodes": nodes,
        **describe_machine(),
        "gpus": list_gpu_names() if gpus else [],
    }
    with replace_files(path) as (file,):
        file.write(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def in_utc(seconds: float) -> str:
    """Return a time in UTC, to the second: 2026-01-01T10:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def describe_machine() -> dict[str, Any]:
    """Return system, Python, processor, cores that this process may use, and memory in GiB."""
    release = re.match(r"\d+(\.\d+)?", platform.release())
    return {
        "system": " ".join(filter(None, [platform.system(), release and release[0], platform.machine()])),
        "python": platform.python_version(),
        "processor": name_processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
    }


def name_processor(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, or its architecture where the kernel does not tell the name."""
    match = (
        re.search(r"^model name\s*: (.+)$", info.read_text(encoding="utf-8"), re.MULTILINE) if info.exists() else None
    )
    return match[1].strip() if match else platform.machine()


def list_gpu_names() -> list[str]:
    """Return name and memory of each GPU that this process may use, such as NVIDIA H20 96 GB."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = None if visible is None else set(visible.split(","))
    rows = ask_driver("--query-gpu=index,uuid,name,memory.total")
    return [
        name if re.search(r"\d ?GB", name) else f"{name} {round(int(mib) / 1024)} GB"
        for index, uuid, name, mib in rows
        if chosen is None or chosen & {index, uuid}
    ]


def write_speed(path: Path, log: Path) -> None:
    """Write a row a logged step of training, from ms-swift's logging.jsonl.

    Seconds are the mean of all steps since the training began or went on, measuring held-out pairs included; memory is
    the most that a GPU had reserved until then. A step that was repeated after a stop counts as it was the last time.
    """
    rows: dict[int, dict[str, Any]] = {}
    for row in read_json_lines(log):
        if "loss" in row and "train_speed(s/it)" in row:
            step = int(row["global_step/max_steps"].partition("/")[0])
            memory = {"memory_gib": row["memory(GiB)"]} if "memory(GiB)" in row else {}
            rows[step] = {"step": step, "seconds_per_step": row["train_speed(s/it)"]} | memory
    write_json_lines(path, [rows[step] for step in sorted(rows)])
