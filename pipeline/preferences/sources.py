"""The sources that data.raw names: each a file, a folder or a glob, perhaps with a limit of its pairs."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.preferences.open_raw import list_raw_files

Raw = str | list[Any]  # data.raw


@dataclass(frozen=True)
class Source:
    """An entry of data.raw, with the files that it names."""

    name: str
    files: tuple[Path, ...]
    limit: int | None = None  # of its pairs


def list_sources(raw: Raw) -> list[Source]:
    """Return the sources in their order; stop with one line if a file is named twice."""
    entries: list[dict[str, Any]] = [
        entry if isinstance(entry, dict) else {"file": entry} for entry in ([raw] if isinstance(raw, str) else raw)
    ]
    sources = [Source(entry["file"], tuple(list_raw_files(entry["file"])), entry.get("limit")) for entry in entries]
    seen: dict[Path, str] = {}
    for source in sources:
        for file in source.files:
            if (path := file.resolve()) in seen:
                sys.exit(f"{file}: named twice in data.raw, by {seen[path]} and {source.name}; keep one of them")
            seen[path] = source.name
    return sources


def limit_sources(names: list[str], raw: Raw) -> list[Source]:
    """Return the sources of some names, with the limits that data.raw has for them."""
    limits = {entry["file"]: entry.get("limit") for entry in raw if isinstance(entry, dict)}
    return list_sources([{"file": name, "limit": limits.get(name)} for name in names])
