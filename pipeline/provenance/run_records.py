"""Read Snakemake's records of the jobs that made some results: rules, inputs, times, commands.

A record is a JSON file in .snakemake/metadata for each output, named by the output's path in base64.
"""

import base64
import json
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDS = Path(".snakemake/metadata")
LONGEST_NAME = 255  # of a file


@dataclass(frozen=True)
class RecordedJob:
    """A job that ran: paths as in the rule, times in seconds since 1970; None if not recorded."""

    rule: str
    command: str
    inputs: tuple[str, ...]
    accounts: tuple[str, ...]  # files declared as logs so that they survive a failure; without the log itself
    started: float | None
    ended: float | None
    environment: str  # the text of the conda file, with the version of every package
    checksums: dict[str, str]  # SHA-256 in hex by input, of those that are small enough for Snakemake
    outputs: list[str] = field(default_factory=list)


def record_of(output: str) -> str:
    """Return the path of Snakemake's record of an output."""
    name = base64.b64encode(output.encode(), altchars=b"-_").decode()
    if len(name) > LONGEST_NAME:
        sys.exit(f"{output}: the path is too long for Snakemake's records; give the run a shorter name")
    return f"{RECORDS}/{name}"


def read_jobs(folder: Path) -> dict[str, RecordedJob]:
    """Return every recorded job, by output."""
    jobs: dict[tuple[str, str], RecordedJob] = {}
    by_output = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            output = base64.b64decode(path.name, altchars=b"-_").decode()
            record = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, FileNotFoundError):
            continue  # of a job that runs at the same time: Snakemake writes records in place
        if not record["incomplete"]:
            job = jobs.setdefault((record["rule"], record["shellcmd"] or output), describe_record(record))
            job.outputs.append(output)
            by_output[output] = job
    return by_output


def describe_record(record: dict[str, Any]) -> RecordedJob:
    """Return a record as a job without outputs."""
    return RecordedJob(
        rule=record["rule"],
        command=" ".join((record["shellcmd"] or "").split()),
        inputs=tuple(sorted(record["input"] or ())),
        accounts=tuple(sorted(log for log in record["log"] or () if not log.endswith(".log"))),
        started=record["starttime"],
        ended=record["endtime"],
        environment=base64.b64decode(record["conda_env"] or "").decode(),
        checksums={
            path: checksum.removeprefix("sha256:")
            for path, checksum in (record["input_checksums"] or {}).items()
            if checksum and checksum.startswith("sha256:")
        },
    )


def trace_back(targets: Iterable[str], folder: Path = RECORDS) -> list[RecordedJob]:
    """Return the jobs that made the targets and their inputs, in the order in which they started.

    Stops with one line if Snakemake has no record of a target.
    """
    jobs = read_jobs(folder)
    found: dict[int, RecordedJob] = {}
    queue = deque(targets)
    for target in list(queue):
        if target not in jobs:
            sys.exit(f"{target}: Snakemake has no record of it; remove it, and run snakemake without --drop-metadata")
    while queue:
        job = jobs.get(queue.popleft())
        if job and id(job) not in found:
            found[id(job)] = job
            queue.extend(job.inputs)
    return sorted(found.values(), key=lambda job: (job.started or 0, job.outputs))
