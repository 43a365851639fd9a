"""The rows of rejects.jsonl: where a row stands, what is wrong with it, and what to do."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.preferences.chunk import Place
from pipeline.preferences.problems import PROBLEMS, Finding


def describe_row(place: Place, findings: Sequence[Finding]) -> bytes:
    """Return a line of rejects.jsonl: the first thing that is wrong with a row, and the others as `more`."""
    first, *others = (describe_finding(finding) for finding in findings)
    line = {"line": place.line} if place.line is not None else {}
    row = {"row": place.row} if place.row is not None else {}
    more = {"more": others} if others else {}
    return json.dumps({"file": place.file} | line | row | first | more, ensure_ascii=False).encode() + b"\n"


def describe_finding(finding: Finding) -> dict[str, Any]:
    """Return one finding in words."""
    problem = PROBLEMS[finding.code]
    column = {"column": finding.column} if finding.column is not None else {}
    said = finding.detail or problem.meaning.rstrip(".")
    return column | {"code": finding.code, "path": finding.path, "problem": said, "fix": problem.fix}


def say_reject(reject: dict[str, Any]) -> str:
    """Return a row of rejects.jsonl in words, on one line: a key may hold what breaks lines."""
    place = f"{reject['file']}:{reject['line']}" if "line" in reject else f"{reject['file']}: row {reject['row']}"
    column = f"column {reject['column']}: " if "column" in reject else ""
    path = f"{reject['path']}: " if reject["path"] != "$" else ""
    return " ".join(f"{place}: {column}{path}{reject['problem']}; {reject['fix']} ({reject['code']})".splitlines())


def say_dropped(rejected: int, rows: int, codes: Mapping[str, int]) -> str:
    """Say how many rows were dropped, and why: the most frequent codes first."""
    why = Counter({code: count for code, count in codes.items() if PROBLEMS[code].severity != "warning"})
    said = ", ".join(f"{count:,} {code}" for code, count in why.most_common())
    return f"{rejected:,} of {rows:,} rows dropped ({rejected / rows:.1%}): {said}"
