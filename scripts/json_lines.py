"""Read and write JSON Lines: one value a line, UTF-8."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file. Lines end at newlines only: text may hold other line separators."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a row a line; the file appears whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    partial.replace(path)
