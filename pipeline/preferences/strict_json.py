"""Read JSON that can be read in one way only: no key twice, no NaN, no half of a surrogate pair."""

import json
import math
from typing import Any

from pipeline.preferences.problems import Finding

MAX_DETAIL = 200  # characters


class DuplicateKey(ValueError):
    """An object has a key twice."""


class NotFinite(ValueError):
    """A number is not one that JSON has."""


def parse_strictly(line: bytes) -> tuple[Any, Finding | None]:
    """Return the value of a line, and the fault that makes its reading ambiguous or impossible."""
    try:
        text = line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        return None, Finding("not-utf8", "$", f"byte 0x{line[error.start]:02x}", column)
    return parse_text(text)


def parse_text(text: str) -> tuple[Any, Finding | None]:
    """Return the value of some JSON, and the fault that makes its reading ambiguous or impossible."""
    try:
        value = json.loads(
            text, object_pairs_hook=unique_keys, parse_constant=refuse_constant, parse_float=finite_float
        )
    except json.JSONDecodeError as error:
        return None, Finding("not-json", "$", error.msg, error.pos + 1)
    except RecursionError:
        return None, Finding("too-deep")
    except DuplicateKey as error:
        return None, Finding("duplicate-key", "$", f"the key {shorten(repr(str(error)))} stands twice in an object")
    except NotFinite as error:
        return None, Finding("not-finite", "$", f"{shorten(str(error))} is not a number of JSON")
    except ValueError as error:  # a number of thousands of digits
        return None, Finding("not-json", "$", shorten(str(error)))
    try:
        path = find_surrogate(value)
    except RecursionError:
        return None, Finding("too-deep")
    return value, Finding("lone-surrogate", path) if path else None


def unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these items."""
    row = dict(items)
    if len(row) < len(items):
        names = [key for key, _ in items]
        raise DuplicateKey(next(key for key in names if names.count(key) > 1))
    return row


def refuse_constant(name: str) -> Any:
    """Refuse NaN, Infinity and -Infinity, which json.loads would accept."""
    raise NotFinite(name)


def finite_float(text: str) -> float:
    """Return a number, unless it is too large for one."""
    if math.isinf(value := float(text)):
        raise NotFinite(text)
    return value


def find_surrogate(value: Any, path: str = "$") -> str | None:
    """Return the path of a text that holds half of a surrogate pair."""
    if isinstance(value, str):
        return path if any("\ud800" <= character <= "\udfff" for character in value) else None
    if isinstance(value, dict):
        children = [(f"{path}.{key}", child) for key, child in value.items()]
        keys = (path for key in value if find_surrogate(key))
        if found := next(keys, None):
            return found
    elif isinstance(value, list):
        children = [(f"{path}[{number}]", child) for number, child in enumerate(value)]
    else:
        return None
    return next((found for where, child in children if (found := find_surrogate(child, where))), None)


def read_json(value: Any) -> Any:
    """Return the list or the object that a text holds as JSON, None for `null`; any other value as it is."""
    if not isinstance(value, str):
        return value
    if not (text := value.strip()).startswith(("[", "{")):
        return None if text == "null" else value
    held, finding = parse_text(text)
    return value if finding else held


def shorten(text: str) -> str:
    """Return a text with its middle left out where it is long."""
    half = MAX_DETAIL // 2
    return text if len(text) <= MAX_DETAIL else f"{text[:half]} … {text[-half:]}"
