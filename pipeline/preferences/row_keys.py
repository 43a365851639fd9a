"""Which keys of a row carry no meaning that training needs, and which carry one that it cannot use (row_keys.yaml)."""

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


@lru_cache(MOST_REMEMBERED)
def is_harmless(key: str) -> bool:
    """Say whether a key is known to hold nothing that training needs."""
    return key.rpartition(".")[2] not in UNSUPPORTED and matches(key, PATTERNS)


def name_key(key: str, path: str) -> Finding:
    """Return the finding about a key whose meaning would be lost."""
    place = f"{path}.{key}"
    if reason := UNSUPPORTED.get(key.rpartition(".")[2]):
        return Finding("unsupported-key", place, f"{key!r} would be lost: {reason}")
    return Finding("unknown-key", place, f"nothing reads {key!r}")
