"""What was run: commit, data, versions, machine, settings; as far as the run's files say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from pipeline.files.known_hashes import file_sha256
from pipeline.gates import Gate, read_gates

Row = dict[str, Any]
Facts = dict[str, Any]

# What differs from machine to machine and has no part in a result.
NOT_SHOWN = ("dvc", "sweep")
# What the page says of a machine, None where it was not written.
MACHINE = [
    "commit",
    "uncommitted_changes",
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


def read_json(path: Path | None) -> Any:
    """Return what a JSON file holds, an empty object where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON Lines file, none where there is none."""
    return read_json_lines(path) if path.is_file() else []


def read_machine(logs: Path, stage: str) -> tuple[Row, list[Row]]:
    """Return what a training wrote of its machine, and its speed by step; nothing where it wrote none."""
    found = read_json(logs / f"{stage}.machine.json")
    return found and dict.fromkeys(MACHINE) | found, read_rows(logs / f"{stage}.speed.jsonl")


def read_all_gates(files: list[Path]) -> list[tuple[str, list[Gate]]]:
    """Return the gates of each stage that has any, under the name of its folder in the run."""
    found = [(name_stage(path), read_gates(path)) for path in files]
    return [(stage, gates) for stage, gates in found if gates]


def name_stage(gates: Path) -> str:
    """Return the folder of a gates.json within its run: results/tiny/sft/merge/gates.json is of sft/merge."""
    parts = gates.parent.parts
    return "/".join(parts[2:] if parts[:1] == ("results",) and len(parts) > 2 else parts[-1:])


def hash_inputs(files: dict[str, Path]) -> dict[str, Row]:
    """Return the path and the SHA-256 of each file."""
    return {name: {"path": path.as_posix(), "sha256": file_sha256(path)} for name, path in files.items()}


def flatten(settings: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting as a dotted name and its value. Sections of choice, as data.languages, are values."""
    for name, value in settings.items():
        if isinstance(value, dict) and not prefix:
            yield from flatten(value, f"{name}.")
        else:
            yield f"{prefix}{name}", value


def list_settings(settings: Row, usual: Row) -> list[Row]:
    """Return the settings, each with its value in config.yaml; those that differ are marked."""
    usual_values = dict(flatten(usual))
    return [
        {
            "name": name,
            "value": show_value(value),
            "usual": show_value(usual_values.get(name)),
            "differs": value != usual_values.get(name),
        }
        for name, value in flatten(settings)
        if name.partition(".")[0] not in NOT_SHOWN
    ]


def show_value(value: Any) -> str:
    """Return a setting's value as JSON has it, text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
