"""Say what is wrong with a row that the fast screen refused; jsonschema decides about its structure."""

import json
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
from pipeline.preferences.prepare_row import prepare
from pipeline.preferences.problems import Finding
from pipeline.preferences.propose import propose
from pipeline.preferences.read_row import our_row, their_path
from pipeline.preferences.row_keys import is_empty
from pipeline.preferences.strict_json import parse_strictly, shorten
from pipeline.preferences.turns import Origins, plain_turns

SCHEMA = Path(__file__).parents[2] / "schemas" / "pair.schema.json"


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
        origins: Origins = {}
        ours = plain_turns(prepare(renamed, format_name), options.ignore, Counter(), origins)
        renamed = renamed._replace(row=ours, origins=origins)
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
