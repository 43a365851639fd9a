"""Say in one line why a rule failed, from Snakemake's log and the rule's own."""

import re
from pathlib import Path

FAILED = re.compile(r"^Error in rule (\w+):$(.*?)^\s+shell:", re.MULTILINE | re.DOTALL)
LOG = re.compile(r"^\s+log: ([^\s,]+)", re.MULTILINE)


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")


def explain_failure(snakemake_log: str) -> str:
    """Return a line for each failed job: its rule, the last line of its log, and where that log is."""
    text = Path(snakemake_log).read_text(encoding="utf-8")
    explained = {}
    for name, details in FAILED.findall(text):
        if match := LOG.search(details):
            explained[match[1]] = f"{name} failed: {last_line(Path(match[1]))}  [{match[1]}]"
    return "\n".join(explained.values())
