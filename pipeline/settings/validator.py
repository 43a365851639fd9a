"""JSON Schema for settings: numbers are finite, whole ones are written so, and patterns mean what the standard says.

In Python, `$` also matches before a last line break, and `\\d` the digits of every script; in JSON Schema neither does.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from pipeline.settings.formats import FORMATS


def is_finite(checker: Any, value: Any) -> bool:
    """Say whether a value is a number: neither NaN, nor infinite, nor too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_whole(checker: Any, value: Any) -> bool:
    """Say whether a value is a whole number, written as one."""
    return isinstance(value, int) and is_finite(checker, value)


def check_pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Yield an error for a text that does not have the form."""
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value, re.ASCII):
        yield ValidationError(f"{value!r} does not have the form {pattern}")


def check_format(validator: Any, name: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Yield an error for a text with a fault, which is said in full."""
    if isinstance(value, str) and (fault := FORMATS[name](value)):
        yield ValidationError(fault)


SettingsValidator: type[Draft202012Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": check_pattern, "format": check_format},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": is_finite, "integer": is_whole}),
)
