"""Say what is wrong with a row that the fast screen refused; jsonschema decides about its structure."""

import json
import math
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from pipeline.preferences.checks import BLANK
from pipeline.preferences.chunk import MAX_ROW_BYTES
from pipeline.preferences.layouts import Renamed
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding
from pipeline.preferences.propose import propose
from pipeline.preferences.read_row import our_row, prepare, their_path
from pipeline.preferences.row_keys import is_empty
from pipeline.preferences.turns import plain_turns

SCHEMA = Path(__file__).parents[2] / "schemas" / "pair.schema.json"
MAX_DETAIL = 200  # characters


class DuplicateKey(ValueError):
    """An object has a key twice."""


class NotFinite(ValueError):
    """A number is not one that JSON has."""


def explain_row(
    line: bytes, format_name: str | None, options: Options, refused: Exception | None = None
) -> list[Finding]:
    """Return the faults of a line of JSON; an empty list only if neither this nor `refused` has one."""
    if len(line) > MAX_ROW_BYTES:
        return [Finding("too-large")]
    value, finding = parse_strictly(line)
    if finding:
        return [finding]
    if format_name is None:
        return [Finding("unknown-format", "$", explain_keys(value))]
    findings = explain_structure(value, format_name, options)
    if not findings and refused:
        findings = [Finding("wrong-structure", "$", shorten(str(refused)))]
    return findings


def parse_strictly(line: bytes) -> tuple[Any, Finding | None]:
    """Return the value of a line, and the fault that makes its reading ambiguous or impossible."""
    try:
        text = line.rstrip(b"\r\n").decode()
        value = json.loads(
            text, object_pairs_hook=unique_keys, parse_constant=refuse_constant, parse_float=finite_float
        )
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        return None, Finding("not-utf8", "$", f"byte 0x{line[error.start]:02x}", column)
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


@cache
def validator(format_name: str) -> Draft202012Validator:
    """Return the validator of a format's rows."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return Draft202012Validator({"$ref": f"#/$defs/{format_name}", "$defs": schema["$defs"]})


def explain_keys(value: Any) -> str:
    """Say which keys a row has that no format knows, and what would read it."""
    if not isinstance(value, dict):
        return f"not an object but {type(value).__name__}"
    if is_empty(value):
        return "no key of it holds anything"
    keys = shorten(f"its keys: {', '.join(value)}")
    return f"{keys}; {remedy}" if (remedy := propose(value)) else keys


def explain_structure(value: Any, format_name: str, options: Options) -> list[Finding]:
    """Return the errors that the schema finds in a row under our names, by the path in the raw row."""
    if not isinstance(value, dict):
        renamed = Renamed(value, {})
    else:
        renamed = our_row(value, options)
        ours = plain_turns(prepare(renamed, format_name), options.ignore, Counter())
        renamed = renamed._replace(row=ours)
    errors = sorted(validator(format_name).iter_errors(renamed.row), key=lambda error: error.json_path)
    found = [explain_error(error) for error in errors]
    return [finding._replace(path=their_path(finding.path, renamed, value)) for finding in found]


def explain_error(error: ValidationError) -> Finding:
    """Return one error of the schema as a finding."""
    if error.validator == "anyOf":
        parts: Any = error.validator_value
        asked = [part["required"][0] for part in parts if "required" in part]
        if asked and isinstance(error.instance, dict) and not set(asked) & set(error.instance):
            return Finding("wrong-structure", error.json_path, f"one of {', '.join(asked)} is needed")
        error = best_match([error]) or error
    if error.validator == "pattern":
        return Finding("blank-text", error.json_path, BLANK)
    return Finding("wrong-structure", error.json_path, shorten(error.message))


def shorten(text: str) -> str:
    """Return a text with its middle left out where it is long."""
    half = MAX_DETAIL // 2
    return text if len(text) <= MAX_DETAIL else f"{text[:half]} … {text[-half:]}"
