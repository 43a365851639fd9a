"""Read the facts about a run from its files: commit, data, versions, machine, settings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.files.json_files import read_json
from pipeline.files.json_lines import read_json_lines
from pipeline.files.known_hashes import file_sha256
from pipeline.gates import Gate, read_gates

Row = dict[str, Any]

# The facts about a machine on the page; None if not recorded.
MACHINE = [
    "commit",
    "uncommitted_changes",
    "changed_files",
    "untracked_files",
    "command",
    "started",
    "ended",
    "seconds",
    "system",
    "python",
    "processor",
    "cores",
    "memory_gib",
    "gpus",
]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON Lines file; no rows if there is no file."""
    return read_json_lines(path) if path.is_file() else []


def read_machine(logs: Path, stage: str) -> tuple[Row, list[Row]]:
    """Return the machine that a training recorded, and its speed by step; both are empty if not recorded."""
    record = logs / f"{stage}.machine.json"
    machine = dict.fromkeys(MACHINE) | read_json(record) if record.is_file() else {}
    return machine, read_rows(logs / f"{stage}.speed.jsonl")


def read_all_gates(files: list[tuple[str, Path]]) -> list[tuple[str, list[Gate]]]:
    """Return the gates of each stage that has gates."""
    found = [(stage, read_gates(path)) for stage, path in files]
    return [(stage, gates) for stage, gates in found if gates]


def hash_inputs(files: dict[str, Path]) -> dict[str, Row]:
    """Return the path and the SHA-256 of each file."""
    return {name: {"path": path.as_posix(), "sha256": file_sha256(path)} for name, path in files.items()}


def flatten(settings: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting as a dotted name and its value. A section inside a section (data.languages) is a value."""
    for name, value in settings.items():
        if isinstance(value, dict) and not prefix:
            yield from flatten(value, f"{name}.")
        else:
            yield f"{prefix}{name}", value


def list_settings(settings: Row, usual: Row) -> list[Row]:
    """Return the settings by name, each with its value in config.yaml; those that differ are marked."""
    usual_values = dict(flatten(usual))
    return [
        {
            "name": name,
            "value": show_value(value),
            "usual": show_value(usual_values.get(name)),
            "differs": value != usual_values.get(name),
        }
        for name, value in sorted(flatten(settings))
    ]


def show_value(value: Any) -> str:
    """Return a setting's value as JSON, a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
