"""Read the words of a command line as values of settings."""

import json
import math
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.swift_commands.flag_knowledge import as_bool


def fit(words: list[str], schema: dict[str, Any]) -> Any:
    """Return the words of a command line as the schema of a setting allows them; Ellipsis if it does not."""
    text = " ".join(words)
    readings = [text, words, number(text), as_bool(words), [number(word) for word in words], as_object(text)]
    read = [value for value in readings if value is not None]
    none = [None] if text.lower() in ("none", "null") else []
    allowed = Draft202012Validator(schema)
    return next((value for value in [*read, *none] if allowed.is_valid(value)), ...)


def as_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text; None if the text is not one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def number(text: str) -> int | float | str:
    """Return text as a whole or a finite number; unchanged, if it is not a number."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text) if math.isfinite(float(text)) else text
    except ValueError:
        return text


def last(flags: dict[str, list[str]], flag: str, default: str) -> str:
    """Return the last value of a flag; `default` without one."""
    return (flags.get(flag) or [default])[-1]
