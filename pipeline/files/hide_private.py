"""Replace private paths in texts: the folder of the project, of the environment, and of the user."""

import logging
import os
import re
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any


@cache
def private_places() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return patterns of the private folders, longest first, with their replacements."""
    here = Path.cwd()
    places = {str(folder): "." for folder in (here, here.resolve())}
    places |= {sys.prefix: Path(sys.prefix).name, os.environ.get("HOME", ""): "~"}
    ordered = sorted(places.items(), key=lambda pair: -len(pair[0]))
    return tuple((path_pattern(place), name) for place, name in ordered if len(place) > 1)


def path_pattern(folder: str) -> re.Pattern[str]:
    """Return the pattern of a folder, with the slash after it, but not in the middle of a longer path or name."""
    return re.compile(rf"(?<![\w./-]){re.escape(folder)}(?:(/)|(?![\w-]))")


def hide_private(text: str) -> str:
    """Return a text with paths relative to the working folder, or to ~, the home folder."""
    for pattern, name in private_places():
        inside = "" if name == "." else f"{name}/"
        text = pattern.sub(partial(shorten, name, inside), text)
    return text


def shorten(name: str, inside: str, match: re.Match[str]) -> str:
    """Return the replacement of a folder, alone or at the beginning of a longer path."""
    return inside if match[1] else name


def hide_in(value: Any) -> Any:
    """Return a value as JSON has them with private places hidden in all of its texts."""
    if isinstance(value, str):
        return hide_private(value)
    if isinstance(value, dict):
        return {hide_in(key): hide_in(item) for key, item in value.items()}
    return [hide_in(item) for item in value] if isinstance(value, list | tuple) else value


def hide_in_record(record: logging.LogRecord) -> bool:
    """Hide private places in a logger's message; used as a filter that lets every message pass."""
    record.msg, record.args = hide_private(record.getMessage()), ()
    return True
