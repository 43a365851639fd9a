"""Rows as tables: CSV for programs, Markdown for pages."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write_table(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV; with no rows, a line of one name, which DVC can read."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table in Markdown; none without rows."""
    lines = [list(map(escape_cell, row)) for row in rows]
    names = list(map(escape_cell, head))
    return [f"| {' | '.join(line)} |" for line in [names, ["---"] * len(names), *lines]] if lines else []


def escape_cell(text: str) -> str:
    """Return a text in the form that it needs in a table: one line, with its bars and backslashes escaped."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())
