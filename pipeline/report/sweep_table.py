"""The rows of a sweep's table, and the one with the lowest held-out loss."""

import math
from typing import Any

from pipeline.settings.sweep import as_cell

Row = dict[str, Any]


def point_row(name: str, values: Row, metrics: Row) -> Row:
    """Return the table's row of a point: its settings, and the figures of its training (tabulate_curves)."""
    row: Row = {"point": name} | {setting: as_cell(value) for setting, value in values.items()}
    row["steps"] = metrics.get("steps")
    row |= {f"loss_{when}": value for when, value in metrics.get("loss", {}).items()}
    return row | {f"held_out_{figure}": value for figure, value in metrics.get("held_out", {}).get("after", {}).items()}


def find_lowest_loss(rows: list[Row]) -> Row | None:
    """Return the first row with the lowest held-out loss, None if nothing was held out."""
    known = [row for row in rows if row.get("held_out_loss") and math.isfinite(float(row["held_out_loss"]))]
    return min(known, key=lambda row: float(row["held_out_loss"]), default=None)
