"""Gates: what a stage proves of itself. gates.json lists them; a failed one stops the graph with one line.

A row is `{"gate", "passed", "value", "expected"}`: `value` is what was seen, `expected` says in words or as
a number what had to be seen.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Gate = dict[str, Any]


class GateError(RuntimeError):
    """A gate that stops a training where it stands."""


def gate(name: str, passed: bool, value: Any, expected: Any) -> Gate:
    """Return a row of gates.json."""
    return {"gate": name, "passed": bool(passed), "value": value, "expected": expected}


def describe_gate(row: Gate) -> str:
    """Return a gate in words."""
    return f"{row['gate']} is {row['value']}, expected {row['expected']}"


def read_gates(path: Path) -> list[Gate]:
    """Return the gates of a stage; none where nothing was written yet."""
    rows: list[Gate] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def write_gates(path: Path, gates: Iterable[Gate]) -> None:
    """Write gates.json, a gate a line; the file is whole at every time."""
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in gates)
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    partial.replace(path)


def put_gate(path: Path, row: Gate) -> None:
    """Add a gate to gates.json; one of its name is replaced where it stands."""
    rows = {old["gate"]: old for old in read_gates(path)} | {row["gate"]: row}
    write_gates(path, list(rows.values()))


def record_gate(path: Path, row: Gate) -> None:
    """Add a gate to those of a training, and stop it if the gate failed. Every process judges, the first one writes."""
    if os.environ.get("RANK", "0") == "0":
        put_gate(path, row)
    if not row["passed"]:
        raise GateError(describe_gate(row))


def require_gates(path: Path, reported: Iterable[str] = ()) -> None:
    """Stop with one line if a gate of gates.json has failed; those of the names in `reported` are printed only."""
    failed = [row for row in read_gates(path) if not row["passed"]]
    for row in failed:
        if row["gate"] in reported:
            print(f"{path}: {describe_gate(row)}", flush=True)
    stopping = [describe_gate(row) for row in failed if row["gate"] not in reported]
    if stopping:
        sys.exit(f"{path}: {'; '.join(stopping)}")
