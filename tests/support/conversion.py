"""Conversions of golden files: how they end, and what they write."""

import json
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from scripts import convert_preferences
from tests.support.project import ROOT

GOLDEN = ROOT / "tests" / "golden"
EXPECTED = (".pairs.jsonl", ".rejects.jsonl", ".quality.json")


def raw_files(folder: Path) -> list[Path]:
    """Return the raw files of a folder, without what is expected of them."""
    return sorted(path for path in folder.iterdir() if not path.name.endswith(EXPECTED))


def name_of(path: Path) -> str:
    """Return the names of a golden file and of the files with its expected results."""
    return path.name.partition(".")[0]


def convert(raw: Path | str, out: Path, *options: str) -> str | None:
    """Convert, and return the message that it ends with; nothing if it ends well."""
    try:
        convert_preferences.main([str(raw), "--out", str(out), *options])
    except SystemExit as stop:
        return str(stop.code)
    return None


def read_pairs(out: Path) -> list[dict[str, Any]]:
    return read_json_lines(out / "pairs.jsonl")


def read_rejects(out: Path) -> list[dict[str, Any]]:
    return read_json_lines(out / "rejects.jsonl")


def read_quality(out: Path) -> dict[str, Any]:
    return json.loads((out / "quality.json").read_bytes())
