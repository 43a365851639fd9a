"""Conversions of golden files: how they end, and what they write."""

import json
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from pipeline.settings.check import load_config
from pipeline.settings.reads import part_for
from scripts import convert_preferences
from tests.support.project import ROOT

GOLDEN = ROOT / "tests" / "golden"
EXPECTED = (".pairs.jsonl", ".rejects.jsonl", ".quality.json")
ZH_EN = {"source": "zh", "target": "en"}
# The settings of config.yaml, for pairs that are not translations.
DATA = part_for("convert_preferences", load_config([]))["data"] | {"languages": None}


def raw_files(folder: Path) -> list[Path]:
    """Return the raw files of a folder, without what is expected of them."""
    return sorted(path for path in folder.iterdir() if not path.name.endswith(EXPECTED))


def name_of(path: Path) -> str:
    """Return the names of a golden file and of the files with its expected results."""
    return path.name.partition(".")[0]


def options(**changes: Any) -> list[str]:
    """Return the settings of a conversion as an option: those of DATA, with changes."""
    return ["--settings", json.dumps({"data": DATA | changes})]


def convert(raw: Path | str | list[str], out: Path, /, cores: int | None = None, **changes: Any) -> str | None:
    """Convert with some settings changed, and return the message that it ends with; None if it ends well."""
    names = raw if isinstance(raw, list) else [str(raw)]
    try:
        processes = ["--cores", str(cores)] if cores else []
        convert_preferences.main([*names, *options(**changes), "--out", str(out), *processes])
    except SystemExit as stop:
        return str(stop.code)
    return None


def read_pairs(out: Path) -> list[dict[str, Any]]:
    return read_json_lines(out / "pairs.jsonl")


def read_rejects(out: Path) -> list[dict[str, Any]]:
    return read_json_lines(out / "rejects.jsonl")


def read_quality(out: Path) -> dict[str, Any]:
    return json.loads((out / "quality.json").read_bytes())
