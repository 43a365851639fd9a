"""The settings of `data:` that the conversion of a row depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    """Settings of `data:`."""

    min_margin: float = 1.0
    languages: tuple[str, str] | None = None  # of source and answer
    system: str | None = None
    columns: tuple[tuple[str, str], ...] = ()  # our key by the path of theirs
    ignore: frozenset[str] = frozenset()
    keeps_thinking: bool = False  # of earlier turns


def options_of_keys(data: Mapping[str, Any]) -> Options:
    """Return the options that say what the keys of a row are, and which thinking is kept."""
    columns, keeps = tuple((data["columns"] or {}).items()), data["earlier_thinking"] == "keep"
    return Options(columns=columns, ignore=frozenset(data["ignore"]), keeps_thinking=keeps)
