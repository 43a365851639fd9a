"""The sources that data.raw names: each a file, a folder or a glob, perhaps with a limit of its pairs."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files.one_line import one_line
from pipeline.preferences.list_raw import list_raw
from pipeline.preferences.open_raw import UnreadableRaw

Raw = str | list[Any]  # data.raw


@dataclass(frozen=True)
class Source:
    """An entry of data.raw, with the files that it names, and those beside them in the form of quality.json."""

    name: str
    files: tuple[Path, ...]
    limit: int | None = None  # of its pairs
    left: Sequence[Mapping[str, str]] = ()


def list_sources(raw: Raw, out: Path | str) -> list[Source]:
    """Return the sources in their order; stop with one line if one cannot be listed, or a file is named twice.

    `out` is the folder of the conversion's results, which never become raw data.
    """
    entries: list[dict[str, Any]] = [
        entry if isinstance(entry, dict) else {"file": entry} for entry in ([raw] if isinstance(raw, str) else raw)
    ]
    sources = [list_source(entry["file"], entry.get("limit"), out) for entry in entries]
    seen: dict[Path, str] = {}
    for source in sources:
        for file in source.files:
            if (path := file.resolve()) in seen:
                sys.exit(f"{file}: named twice in data.raw, by {seen[path]} and {source.name}; keep one of them")
            seen[path] = source.name
    return sources


def list_source(name: str, limit: int | None, out: Path | str, setting: str = "data.raw") -> Source:
    """Return the source of an entry, which `setting` names; stop with one line if it cannot be listed."""
    try:
        listing = list_raw(name, out)
    except UnreadableRaw as error:
        sys.exit(one_line(str(error).replace("data.raw", setting)))
    return Source(name, tuple(listing.files), limit, listing.account())


def limit_sources(names: list[str], raw: Raw, out: Path) -> list[Source]:
    """Return the sources of some names, with the limits that data.raw has for them."""
    limits = {entry["file"]: entry.get("limit") for entry in raw if isinstance(entry, dict)}
    return list_sources([{"file": name, "limit": limits.get(name)} for name in names], out)
