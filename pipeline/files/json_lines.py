"""JSON Lines: one JSON value a line, in UTF-8."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    return list(iterate_json_lines(path))


def iterate_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, holding one at a time. Lines end at newlines only: text may hold other separators."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a row a line; the file appears whole or not at all."""
    with replace_files(path) as (lines,):
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextmanager
def replace_files(*paths: Path) -> Iterator[list[TextIO]]:
    """Open files for writing. They appear, or replace old ones, when all is written, and not if an error ends it."""
    partial = [path.with_name(f"{path.name}.partial") for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(path.open("w", encoding="utf-8")) for path in partial]
        for old, new in zip(paths, partial, strict=True):
            new.replace(old)
    finally:
        for path in partial:
            path.unlink(missing_ok=True)


def trim_log(log: Path) -> None:
    """Cut off a last line that a killed process did not finish."""
    if not log.exists():
        return
    with log.open("rb+") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
