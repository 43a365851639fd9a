"""Say in one line why a job did not end well, from Snakemake's log and the job's own."""

import re
import shutil
from pathlib import Path

from pipeline.graph.read_progress import is_progress
from pipeline.launch.exit_status import signal_of

LEAST_ROOM = 64 << 10  # bytes, below which a stage could not say why it ended
EMPTY = "its log is empty, as where the disk was full, or where the system ended the stage because memory ran out"

FAILED = re.compile(r"^Error in rule (\w+):$(.*?)^\s+shell:", re.MULTILINE | re.DOTALL)
LOG = re.compile(r"^\s+log: ([^\s,]+)", re.MULTILINE)
# Snakemake's words: after Ctrl-C; of the command of a job, before the job is named; of a job of Slurm.
BY_USER = "Terminating processes on user request"
COMMAND_ENDED = re.compile(
    r"' (?:died with <Signals\.(SIG\w+): \d+>|returned non-zero exit status (\d+))\.$", re.MULTILINE
)
BY_SLURM = re.compile(r"SLURM status is: '(\w+)'")
STOPPED = re.compile(r"stopped\b(?! with status)")  # as a stage says that was asked to
ENDED_BY = re.compile(r"\bended by SIG\w+$")
STOPPED_BY_USER = "stopped by you; the same command goes on"
OF_MEMORY = " (the system does so where memory runs out)"


def last_line(path: Path) -> str:
    """Return the last line of a log that says something, or that its disk is full: then the log may not say all."""
    if path.parent.is_dir() and shutil.disk_usage(path.parent).free < LEAST_ROOM:
        return f"no room is left on the disk of {path.parent}; make room, or let results/ be a link to a larger disk"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), EMPTY)


def explain_failure(snakemake_log: str) -> str:
    """Return a line for each job that did not end well: its rule, how it ended and why, and where its log is."""
    text = Path(snakemake_log).read_text(encoding="utf-8")
    explained, end = {}, 0
    for failed in FAILED.finditer(text):
        name, details = failed.groups()
        if match := LOG.search(details):
            how = how_ended(text[end : failed.start()], details, BY_USER in text[: failed.start()])
            explained[match[1]] = f"{name} {describe_end(how, last_line(Path(match[1])))}  [{match[1]}]"
        end = failed.end()
    return "\n".join(explained.values())


def how_ended(before: str, details: str, by_user: bool) -> str:
    """Return who or what ended a job, in words; nothing if it ended by itself.

    `before` is what Snakemake said since the job before, `details` what it says of this one.
    """
    *_, (name, status) = COMMAND_ENDED.findall(before) or [("", "")]
    name = name or signal_of(int(status or 0))
    if by_user or name == "SIGINT":
        return STOPPED_BY_USER
    if name:
        return f"ended by {name}{OF_MEMORY if name == 'SIGKILL' else ''}"
    by_slurm = BY_SLURM.search(details)
    return f"ended by Slurm ({by_slurm[1]})" if by_slurm and by_slurm[1] != "FAILED" else ""


def describe_end(how: str, last: str) -> str:
    """Return the end of a job in words. The last line of its log is the reason only where it ended by itself."""
    if how == STOPPED_BY_USER:
        return how
    if STOPPED.match(last):
        return last
    if how:
        return f"{how}; its last line: {last}"
    if is_progress(last):
        return f"ended without a reason in its log; its last line: {last}"
    return f"ended: {last}" if ENDED_BY.search(last) else f"failed: {last}"
