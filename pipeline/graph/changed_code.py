"""Warn that changed code makes a finished training run again: which code, and how to keep the result."""

import ast
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from pipeline.provenance.run_records import record_of

LINE = re.compile(r"(\S+) ([0-9a-f]{12})")


def name_changed_code(rule: str, output: str, code: list[str]) -> None:
    """Print one line if a result is there and was made by other code than `code`, as code_of() gives it."""
    record = Path(record_of(output))
    if not Path(output).exists() or not record.is_file():
        return
    before = recorded_code(record)
    changed = sorted({line.partition(" ")[0] for line in before ^ set(code)})
    if changed:
        what = ", ".join(changed) if before else "the code, which older records do not name,"
        keep = shlex.join(["snakemake", "--touch", "--", output])
        print(f"{output}: {what} changed since; {rule} runs again. To keep the result: {keep}", file=sys.stderr)


def as_code(param: Any) -> tuple[str, str] | None:
    """Return path and digest, if a parameter is a line of code_of()."""
    found = LINE.fullmatch(param) if isinstance(param, str) else None
    return (found[1], found[2]) if found else None


def recorded_code(record: Path) -> set[str]:
    """Return the lines of code_of() among the parameters that Snakemake recorded; none, if it wrote no such record."""
    try:
        params = json.loads(record.read_text(encoding="utf-8"))["params"] or []
    except (ValueError, KeyError):
        return set()
    words = (ast.literal_eval(param) for param in params if param[:1] in "'\"")
    return {word for word in words if as_code(word)}
