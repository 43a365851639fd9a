"""The settings of `data:` that the conversion of a row depends on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Settings of `data:`."""

    min_margin: float = 1.0
    languages: tuple[str, str] | None = None  # of source and answer
    system: str | None = None
    columns: tuple[tuple[str, str], ...] = ()  # our key by the path of theirs
    ignore: frozenset[str] = frozenset()
