"""Rows as tables: CSV for programs, Markdown for pages."""

import csv
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


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table in Markdown."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in [head, ["---"] * len(head), *rows]]
    return [f"| {' | '.join(row)} |" for row in cells]
