"""Which keys of a row carry no meaning that training needs, and which carry one that it cannot use (row_keys.yaml)."""

import re
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from pipeline.preferences.problems import Finding

LISTS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
PATTERNS = tuple(name for names in LISTS["harmless"].values() for name in names)
MOST_REMEMBERED = 4096  # keys, or sets of keys: rows may have any number of them
ORIGIN_OR_PROMPT = frozenset(LISTS["origin or prompt"])
# Where a name is expected; a text in its place may be a part of the prompt.
ORIGINS = ORIGIN_OR_PROMPT.difference(LISTS["harmless"]["answers that were not picked, and translations by others"])
SENTENCE = re.compile(r"\w[.?!…]+(?=[\s\"'”’)]|$)|[。？！\r\n]")  # where a sentence, or a line, ends
LONGEST_NAME = 60  # characters
UNSUPPORTED: dict[str, str] = LISTS["unsupported"]

Unread = Counter[str]  # rows that hold a key which is not read, by key


def is_empty(value: Any) -> bool:
    """Say whether a value holds nothing: null, an empty text, list or object, or one of such values alone."""
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value is None or value == ""


@lru_cache(MOST_REMEMBERED)
def matches(key: str, patterns: Iterable[str]) -> bool:
    """Say whether a key is one of some names, which may be patterns."""
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def is_harmless(key: str, value: Any = None) -> bool:
    """Say whether a key is known to hold nothing that training needs, beside a prompt."""
    if key in ORIGINS and reads_like_text(value):
        return False
    return key.rpartition(".")[2] not in UNSUPPORTED and matches(key, PATTERNS)


def reads_like_text(value: Any) -> bool:
    """Say whether a value holds a sentence, or a text that is too long for a name, addresses aside."""
    if isinstance(value, list):
        return any(map(reads_like_text, value))
    if isinstance(value, dict):
        return any(map(reads_like_text, value.values()))
    if not isinstance(value, str):
        return False
    return bool(SENTENCE.search(value.strip())) or (len(value) > LONGEST_NAME and "://" not in value)


def name_key(key: str, path: str) -> Finding:
    """Return the finding about a key whose meaning would be lost."""
    place = f"{path}.{key}"
    if reason := UNSUPPORTED.get(key.rpartition(".")[2]):
        return Finding("unsupported-key", place, f"{key!r} would be lost: {reason}")
    if is_harmless(key):
        return Finding("unknown-key", place, f"{key!r} may be a part of the prompt")
    return Finding("unknown-key", place, f"nothing reads {key!r}")
