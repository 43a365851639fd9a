"""Propose the line of data.columns that would read a row of no known format."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import msgspec
import yaml

from pipeline.preferences.formats import FORMATS
from pipeline.preferences.layouts import EXPORTS, present_columns
from pipeline.preferences.options import Options
from pipeline.preferences.problems import PROBLEMS, Finding, Rejected
from pipeline.preferences.read_row import read_row, recognise_row
from pipeline.preferences.row_keys import ORIGIN_OR_PROMPT, is_harmless
from pipeline.preferences.turns import is_conversation, is_turn

# What names of keys suggest. The first of a row's keys that fits is taken.
REJECTED = re.compile(r"reject|dispref|non_?pref|bad|worse|worst|lose|loser|neg", re.IGNORECASE)
CHOSEN = re.compile(r"chosen|prefer|accept|good|better|best|win|pos", re.IGNORECASE)
PROMPT = re.compile(r"prompt|question|query|instruct|input|source|src|text|context|history|user|request", re.IGNORECASE)
SIDES = (("a", "b"), ("0", "1"), ("1", "2"), ("one", "two"), ("first", "second"), ("left", "right"))
VERDICT = re.compile(r"winner|prefer|verdict|vote|choice|label|better|safer", re.IGNORECASE)
SCORE = re.compile(r"score|kiwi|comet|rating", re.IGNORECASE)

MOST_TRIED = 20  # proposals for a row


def propose(row: dict[str, Any]) -> str | None:
    """Return the remedy for an unknown row: how its tool exports pairs, or a setting; None where nothing is known."""
    for name, said in EXPORTS.items():
        if set(said["has"]) <= set(row):
            if not set(said["columns"]) <= present_columns(row, tuple(said["columns"].items())):
                return f"it looks like a record of {name}: docs/formats.md has its settings, in which your names belong"
            ignore = f"`data.ignore: [{', '.join(said['ignore'])}]`"
            return (
                f"as a record of {name} it is read with {write_columns(said['columns'])} and {ignore} (docs/formats.md)"
            )
    paths = [path for path, _ in list_paths(row)]
    known = {path for path in paths if is_harmless(path) and path not in ORIGIN_OR_PROMPT}
    texts = [path for path, value in list_paths(row) if path not in known and is_text(value)]
    proposals = islice(filter(None, chain([guess_pair(texts)], guess_verdicts(texts, paths))), MOST_TRIED)
    return next(filter(None, (try_columns(row, columns) for columns in proposals)), None)


def try_columns(row: dict[str, Any], columns: dict[str, str]) -> str | None:
    """Say what some columns read of a row; None if they do not read its answers."""
    options = Options(columns=tuple(columns.items()))
    faults = find_faults(row, options)
    if others := [finding.path.removeprefix("$.") for finding in faults if finding.code == "unknown-key"]:
        faults = find_faults(row, replace(options, ignore=frozenset(others)))
    errors = {finding.code for finding in faults if PROBLEMS[finding.code].severity == "error"}
    if errors - ({"no-user-turn"} if others else set()):  # one of the others may be the prompt
        return None
    if others:
        return f"{write_columns(columns)} reads its answers; say what its other keys are, too: {', '.join(others)}"
    return f"{write_columns(columns)} would read it"


def find_faults(row: dict[str, Any], options: Options) -> tuple[Finding, ...]:
    """Return the faults of a row, as it is read with some settings."""
    format_name = recognise_row(row, options)
    if format_name not in FORMATS:
        return (Finding("unknown-format"),)
    try:
        read_row(row, format_name, options, Counter())
    except Rejected as refused:
        return refused.findings
    except msgspec.ValidationError:
        return (Finding("wrong-structure"),)
    return ()


def write_columns(columns: dict[str, str]) -> str:
    """Return the setting for some columns."""
    return f"`data.columns: {{{', '.join(f'{write_key(path)}: {ours}' for path, ours in columns.items())}}}`"


def write_key(path: str) -> str:
    """Return a key as YAML, between quotes where it would be read as anything else."""
    plain = re.fullmatch(r"[\w.-]+", path) and yaml.safe_load(path) == path
    return path if plain else json.dumps(path, ensure_ascii=False)


def list_paths(row: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Yield the path and the value of each key, also of objects within the row."""
    for key, value in row.items():
        yield key, value
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", child) for inner, child in value.items())


def is_text(value: Any) -> bool:
    """Say whether a value is a text, a message or a list of messages."""
    return isinstance(value, str) or is_turn(value) or is_conversation(value)


def guess_pair(texts: list[str]) -> dict[str, str] | None:
    """Return which texts are the prompt, the better and the worse answer, as far as their names tell."""
    rejected = next((path for path in texts if REJECTED.search(path) and not SCORE.search(path)), None)
    chosen = next((path for path in texts if CHOSEN.search(path) and path != rejected and not SCORE.search(path)), None)
    if not rejected or not chosen or REJECTED.search(chosen):
        return None
    return guess_prompt(texts, [rejected, chosen]) | {chosen: "chosen", rejected: "rejected"}


def guess_prompt(texts: list[str], others: list[str]) -> dict[str, str]:
    """Return which of the other texts is the prompt."""
    prompt = next((path for path in texts if PROMPT.search(path) and path not in others), None)
    return {prompt: "prompt"} if prompt else {}


def guess_verdicts(texts: list[str], paths: list[str]) -> Iterable[dict[str, str]]:
    """Yield which texts may be the prompt and two answers, and which keys may say who wins, by a word or by scores."""
    for a, b in find_sides(texts):
        for verdict in (path for path in paths if VERDICT.search(path) and path not in (a, b)):
            found = guess_prompt(texts, [a, b, verdict]) | {a: "a", b: "b"}
            yield found | {verdict: "winner"}
            if a.endswith("0"):
                yield found | {verdict: "number_of_winner"}
        for score_a, score_b in find_sides([path for path in paths if SCORE.search(path)]):
            yield guess_prompt(texts, [a, b]) | {a: "a", b: "b", score_a: "score_a", score_b: "score_b"}


def find_sides(paths: list[str]) -> Iterable[tuple[str, str]]:
    """Yield two paths that differ in their ends alone, as answer_a and answer_b do."""
    for one, two in SIDES:
        for path in paths:
            if path.lower().endswith(one):
                other = path[: -len(one)].lower() + two
                yield from ((path, found) for found in paths if found.lower() == other)
