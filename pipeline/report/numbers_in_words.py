"""Numbers as texts: significant digits only, and the same number of decimals throughout a row."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

NONE = "–"
MINUS = "\N{MINUS SIGN}"


def is_number(value: object) -> bool:
    """Say whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def only_number(value: Any) -> Any:
    """Return a value if it is a finite number, else None: JSON has no others."""
    return value if is_number(value) else None


def choose_decimals(values: Iterable[object]) -> int:
    """Return the number of decimals that shows at least three digits of the largest of these numbers."""
    largest = max((abs(float(value)) for value in values if is_number(value)), default=0.0)  # type: ignore[arg-type]
    return 1 if largest >= 100 else 2 if largest > 1 else 3  # a share of 1 has three, as other shares have


def show_number(value: object, decimals: int | None = None, signed: bool = False) -> str:
    """Return a number as a text, a dash for None. Small numbers are written as 2.0e-4."""
    if not is_number(value):
        return NONE
    number = float(value)  # type: ignore[arg-type]
    if decimals is None:
        if isinstance(value, int):
            return f"{value:,}".replace("-", MINUS)
        decimals = choose_decimals([number])
    if number and abs(number) < 0.0005:
        mantissa, _, exponent = (f"{number:+.1e}" if signed else f"{number:.1e}").partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    rounded = round(number, decimals) + 0.0  # no minus before zero
    text = f"{rounded:+,.{decimals}f}" if signed and rounded else f"{rounded:,.{decimals}f}"
    return text.replace("-", MINUS)


def show_p(value: object) -> str:
    """Return a p-value as a text."""
    if not is_number(value):
        return NONE
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"  # type: ignore[arg-type]


def show_duration(seconds: object) -> str:
    """Return seconds as hours, minutes and seconds, in English."""
    if not is_number(seconds):
        return NONE
    return " ".join(f"{amount} {unit}" for amount, unit in split_duration(float(seconds)))  # type: ignore[arg-type]


def split_duration(seconds: float) -> list[tuple[int, str]]:
    """Return seconds as the two largest of hours, minutes and seconds, without zeros."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (left, "s")]
    return [part for part in parts if part[0]][:2] or [(0, "s")]


def show_time(text: object) -> str:
    """Return a time of ISO 8601 in UTC to the minute; a text that is not a time stays as it is."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return str(text)


def count_alike(names: Iterable[str]) -> str:
    """Return a list of names as a text; a name that repeats has its count."""
    return ", ".join(name if times == 1 else f"{times} × {name}" for name, times in Counter(names).items())
