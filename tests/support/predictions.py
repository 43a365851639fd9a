"""Rows of predictions.jsonl, as gather_predictions.py writes them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ENDED = {"analysis": None, "finish": "stop", "analysis_tokens": 0, "final_tokens": 1}


def make_prediction(name: str, prompt: str | list[dict[str, str]], final: str, **others: Any) -> Row:
    """Return a row of a held-out prompt, whose answer has no analysis and ended, unless others say so."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return {"id": name, "messages": messages, "final": final, "chosen": "yes", "rejected": "no"} | ENDED | others


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    """Write rows as JSON Lines, and return the path."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
