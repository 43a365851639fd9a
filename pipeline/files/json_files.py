"""Write values as JSON files, and make short names from them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.files.known_hashes import file_sha256


def run_digest(settings: list[str], *files: Path) -> str:
    """Return a short name for these settings and the contents of these files."""
    state = hashlib.sha256(json.dumps([settings, *map(file_sha256, files)]).encode())
    return state.hexdigest()[:12]


def read_json(path: Path) -> Any:
    """Return the value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a value as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
