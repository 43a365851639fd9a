"""Give the keys of a row our names: by data.columns, by its set, by other usual names (layouts.yaml)."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.preferences.row_keys import MOST_REMEMBERED
from pipeline.preferences.strict_json import read_json

LISTS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
NAMES: dict[str, list[str]] = LISTS["names"]
EXPORTS: dict[str, dict[str, Any]] = LISTS["exports"]


class Layout(NamedTuple):
    """How a set names our keys."""

    name: str
    about: str
    columns: dict[str, str]  # our key by the path of theirs
    has: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def fits(self, keys: frozenset[str]) -> bool:
        """Say whether a row of these keys is of this set."""
        return {*map(top_of, self.columns), *self.has} <= keys and not keys & set(self.without)


LAYOUTS = [
    Layout(
        name, said["about"], said.get("columns", {}), *(tuple(said.get(key, ())) for key in ("has", "aside", "without"))
    )
    for name, said in LISTS["layouts"].items()
]


class Renamed(NamedTuple):
    """A row under our names, the path of each renamed key in the raw row, and what else is known of its keys."""

    row: dict[str, Any]
    paths: dict[str, str]
    aside: tuple[str, ...] = ()  # patterns of keys that its set holds beside
    twice: tuple[str, ...] = ()  # our keys that the row has more than once, with other values
    origins: dict[str, list[int]] | None = None  # of our messages, by key, where they were read


def top_of(path: str) -> str:
    """Return the key at the top of a row that a path goes through: `input` for input.messages."""
    return path.partition(".")[0]


@lru_cache(MOST_REMEMBERED)
def plan_of(keys: tuple[str, ...], columns: tuple[tuple[str, str], ...]) -> tuple[tuple[tuple[str, str], ...], Layout]:
    """Return which paths of a row with these keys get which of our names, and its layout."""
    plan = [(path, ours) for path, ours in columns if top_of(path) in keys or path in keys]
    left = frozenset(keys) - {path for path, _ in plan}
    layout = next((layout for layout in LAYOUTS if layout.fits(left)), Layout("", "", {}))
    plan += layout.columns.items()
    present = (left | {ours for _, ours in plan}) - {path for path, _ in plan}
    for ours, others in NAMES.items():
        other = next((name for name in others if name in present), None)
        if other and ours not in present:
            plan.append((other, ours))
    return tuple(plan), layout


def rename(row: dict[str, Any], columns: tuple[tuple[str, str], ...]) -> Renamed:
    """Return a row without nulls, under our names. A path that the row does not have changes nothing."""
    if None in row.values():
        row = {key: value for key, value in row.items() if value is not None}
    plan, layout = plan_of(tuple(row), columns)
    if not plan:
        return Renamed(row, {}, layout.aside)
    row = dict(row)
    taken: dict[str, tuple[Any, str]] = {}
    twice: list[str] = []
    nested: set[str] = set()
    for path, ours in plan:
        parts = [path] if path in row else path.split(".")
        if len(parts) > 1 and isinstance(text := row.get(parts[0]), str):
            row[parts[0]] = read_json(text)
        value = value_at(row, parts)
        if value is not None:
            row = remove(row, parts)
            if ours in taken and taken[ours][0] != value:
                twice.append(ours)
            taken[ours] = (value, path)
            if len(parts) > 1:
                nested.add(parts[0])
    row = spread(row, nested)
    twice += [ours for ours, (value, _) in taken.items() if row.get(ours) not in (None, "", [], value)]
    row |= {ours: value for ours, (value, _) in taken.items()}
    return Renamed(row, {ours: path for ours, (_, path) in taken.items()}, layout.aside, tuple(twice))


def present_columns(row: Any, columns: tuple[tuple[str, str], ...]) -> set[str]:
    """Return the paths of data.columns that a row has."""
    if not isinstance(row, dict):
        return set()
    return {path for path, _ in columns if path in row or value_at(row, path.split(".")) is not None}


def value_at(value: Any, parts: list[str]) -> Any:
    """Return the value at a path, or None. What holds it may be JSON in a cell of a table."""
    for part in parts:
        value = read_json(value)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def remove(value: Any, parts: list[str]) -> Any:
    """Return a copy without the value at a path; in a list, null stands in its place."""
    first, rest = parts[0], parts[1:]
    if isinstance(value, list):
        return [
            (remove(child, rest) if rest else None) if str(at) == first else child for at, child in enumerate(value)
        ]
    changed = {first: remove(value[first], rest)} if rest else {}
    return {key: child for key, child in value.items() if key != first} | changed


def spread(row: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    """Return a row in which the rest of some objects stands under paths: `input.tools`."""
    for key in keys & set(row):
        rest = row.pop(key)
        items = rest.items() if isinstance(rest, dict) else enumerate(rest)
        row |= {f"{key}.{name}": child for name, child in items if child is not None}
    return row
