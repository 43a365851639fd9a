"""Say in one line why a rule failed, from Snakemake's log and the rule's own."""

import re
import shutil
from pathlib import Path

LEAST_ROOM = 64 << 10  # bytes, below which a stage could not say why it ended
EMPTY = "its log is empty, as where the disk was full, or where the system ended the stage because memory ran out"

FAILED = re.compile(r"^Error in rule (\w+):$(.*?)^\s+shell:", re.MULTILINE | re.DOTALL)
LOG = re.compile(r"^\s+log: ([^\s,]+)", re.MULTILINE)


def last_line(path: Path) -> str:
    """Return the last line of a log that says something, or that its disk is full: then the log may not say all."""
    if path.parent.is_dir() and shutil.disk_usage(path.parent).free < LEAST_ROOM:
        return f"no room is left on the disk of {path.parent}; make room, or let results/ be a link to a larger disk"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), EMPTY)


def explain_failure(snakemake_log: str) -> str:
    """Return a line for each failed job: its rule, the last line of its log, and where that log is."""
    text = Path(snakemake_log).read_text(encoding="utf-8")
    explained = {}
    for name, details in FAILED.findall(text):
        if match := LOG.search(details):
            explained[match[1]] = f"{name} failed: {last_line(Path(match[1]))}  [{match[1]}]"
    return "\n".join(explained.values())
