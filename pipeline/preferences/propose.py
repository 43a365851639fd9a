"""Propose the line of data.columns that would read a row of no known format."""

import re
from collections.abc import Iterable
from typing import Any

from pipeline.preferences.layouts import EXPORTS
from pipeline.preferences.turns import is_conversation, is_turn

# What names of keys suggest. The first of a row's keys that fits is taken.
REJECTED = re.compile(r"reject|dispref|non_?pref|bad|worse|worst|lose|loser|neg", re.IGNORECASE)
CHOSEN = re.compile(r"chosen|prefer|accept|good|better|best|win|pos", re.IGNORECASE)
PROMPT = re.compile(r"prompt|question|query|instruct|input|source|src|text|context|history|user|request", re.IGNORECASE)
FIRST = re.compile(r"(?:[_\-. ]?(?:a|1|one|first|left))$", re.IGNORECASE)
SECOND = re.compile(r"(?:[_\-. ]?(?:b|2|two|second|right))$", re.IGNORECASE)
VERDICT = re.compile(r"winner|prefer|verdict|vote|choice|label|better", re.IGNORECASE)
SCORE = re.compile(r"score|kiwi|comet|rating", re.IGNORECASE)


def propose(row: dict[str, Any]) -> str | None:
    """Return the remedy for an unknown row: how its tool exports pairs, or a setting; None where nothing is known."""
    for name, said in EXPORTS.items():
        if set(said["has"]) <= set(row):
            ignore = f"`data.ignore: [{', '.join(said['ignore'])}]`"
            return (
                f"as a record of {name} it is read with {write_columns(said['columns'])} and {ignore} (docs/formats.md)"
            )
    texts = [
        path for path, value in list_paths(row) if isinstance(value, str) or is_turn(value) or is_conversation(value)
    ]
    columns = guess_pair(texts) or guess_verdict(texts, [path for path, _ in list_paths(row)])
    if not columns:
        return None
    return f"{write_columns(columns)} would read it"


def write_columns(columns: dict[str, str]) -> str:
    """Return the setting for some columns."""
    return f"`data.columns: {{{', '.join(f'{path}: {ours}' for path, ours in columns.items())}}}`"


def list_paths(row: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Yield the path and the value of each key, also of objects within the row."""
    for key, value in row.items():
        yield key, value
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", child) for inner, child in value.items())


def guess_pair(texts: list[str]) -> dict[str, str] | None:
    """Return which texts are the prompt, the better and the worse answer, as far as their names tell."""
    rejected = next((path for path in texts if REJECTED.search(path) and not SCORE.search(path)), None)
    chosen = next((path for path in texts if CHOSEN.search(path) and path != rejected and not SCORE.search(path)), None)
    if not rejected or not chosen or REJECTED.search(chosen):
        return None
    prompt = next((path for path in texts if PROMPT.search(path) and path not in (rejected, chosen)), None)
    return ({prompt: "prompt"} if prompt else {}) | {chosen: "chosen", rejected: "rejected"}


def guess_verdict(texts: list[str], paths: list[str]) -> dict[str, str] | None:
    """Return which texts are the prompt and two answers, and which key says who wins."""
    a = next((path for path in texts if FIRST.search(path)), None)
    b = next((path for path in texts if SECOND.search(path) and a and FIRST.sub("", a) == SECOND.sub("", path)), None)
    verdict = next((path for path in paths if VERDICT.search(path) and path not in (a, b)), None)
    if not a or not b or not verdict:
        return None
    prompt = next((path for path in texts if PROMPT.search(path) and path not in (a, b, verdict)), None)
    return ({prompt: "prompt"} if prompt else {}) | {a: "a", b: "b", verdict: "winner"}
