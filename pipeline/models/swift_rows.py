"""Rows as ms-swift reads them: every row of every file has the same columns, of the same types.

datasets takes the columns and their types from the first 10 MB of a file: what comes later and does not fit ends the
loading. It takes a column of dates for times, and rounds the numbers of nested values. So no column is left out,
messages and tools are JSON text, and an answer begins with its channel, which plugins/harmony.py would write.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import write_json_lines
from pipeline.models.channels import CHANNEL, FINAL

Row = Mapping[str, Any]


def swift_row(row: Row) -> dict[str, Any]:
    """Return a pair, a conversation or a prompt, with or without a label, as swift reads it."""
    effort = row.get("chat_template_kwargs", {}).get("reasoning_effort", "")  # "": that of the settings
    flat = {
        "messages": as_text(row["messages"]),
        "chat_template_kwargs": {"reasoning_effort": effort, "tools": as_text(row.get("tools", []))},
    }
    if "rejected_response" in row:
        answer = row["rejected_response"]
        flat["rejected_response"] = answer if answer.startswith(CHANNEL) else FINAL + answer
    return flat | ({"label": row["label"]} if "label" in row else {})


def as_text(value: Any) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, ensure_ascii=False)


def write_swift_rows(file: Path, rows: Iterable[Row]) -> Path:
    """Write rows as swift reads them, and return the path of the file."""
    write_json_lines(file, map(swift_row, rows))
    return file
