"""Replace private paths in texts: the folders of the project, of the environment, of the user, of temporary files."""

import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Variables that name a folder of the user. Everybody's /tmp, which Snakemake hands to each job, is not private.
OWN = {"HOME": "~", "TMPDIR": "$TMPDIR"}
# Before a path may stand: a sign that is part of no name, a character as JSON and Python write it (\\n), the name of a
# protocol, or a compiler's option. Anything else makes it the end of a longer path.
BEFORE = r"(?:(?<![\w./-])|(?<=\\[nrt])|(?<=\bfile://)|(?<=[\s'\"]-[BIL]))"


@cache
def private_places() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return patterns of the private folders, longest first, with their replacements."""
    named = [(Path.cwd(), "."), (Path(sys.prefix), Path(sys.prefix).name)]
    named += [(Path(os.environ[name]), shown) for name, shown in OWN.items() if os.environ.get(name, "/tmp") != "/tmp"]
    places = {
        written: shown
        for folder, shown in reversed(named)
        for place in (folder.resolve(), folder)
        for written in ways_to_write(str(place))
        if len(place.parts) > 1
    }
    ordered = sorted(places.items(), key=lambda pair: -len(pair[0]))
    return tuple((path_pattern(place), name) for place, name in ordered)


def ways_to_write(path: str) -> Iterator[str]:
    """Yield a path as it is, and as Python, JSON, an address and a shell write it where its signs mean something."""
    yield path
    yield repr(path)[1:-1]
    yield repr(f"{path}'\"")[1:-4]
    yield json.dumps(path)[1:-1]
    yield json.dumps(path, ensure_ascii=False)[1:-1]
    yield quote(path)
    yield shlex.quote(path).strip("'")


def path_pattern(folder: str) -> re.Pattern[str]:
    """Return the pattern of a folder, with the slash after it, but not in the middle of a longer path or name."""
    return re.compile(rf"{BEFORE}{re.escape(folder)}(?:(/)|(?![\w-]))")


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
    """Return a value as JSON has them with private places hidden in all of its texts.

    Another object becomes its text, if that names one.
    """
    if isinstance(value, dict):
        return {hide_in(key): hide_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_in(item) for item in value]
    text = str(value)
    hidden = hide_private(text)
    return value if hidden == text else hidden


def hide_in_record(record: logging.LogRecord) -> bool:
    """Hide private places in a logger's message; used as a filter that lets every message pass."""
    record.msg, record.args = hide_private(record.getMessage()), ()
    return True
