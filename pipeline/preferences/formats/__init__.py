"""The formats of preference data that are read row by row. To add one, add a module here and its schema.

Each module has `Row` (the type that screens), `recognise` (by keys) and `convert` (to a pair). What `Row` refuses,
`$defs/<name>` of schemas/pair.schema.json refuses too, and says why. A set that only names our keys differently needs
no module but an entry of preferences/layouts.yaml. Pairs of several rows are made by
preferences/read_mqm.py and preferences/read_rated.py.
"""

from collections.abc import Mapping
from functools import cache
from types import ModuleType

from pipeline.preferences.formats import ab, alpaca, hh, rated, scored, swift, trl

# In the order in which they are tried: trl accepts what is left of chosen and rejected.
FORMATS: dict[str, ModuleType] = {
    "swift": swift,
    "ab": ab,
    "scored": scored,
    "alpaca": alpaca,
    "hh": hh,
    "trl": trl,
}
ROWS: dict[str, type] = {name: module.Row for name, module in FORMATS.items()} | {"rated": rated.Row}


def recognise_format(row: object) -> str | None:
    """Return the name of the first format that a row under our names has the keys of."""
    if not isinstance(row, Mapping):
        return None
    if rated.recognise(row):
        return "rated"
    return next((name for name, module in FORMATS.items() if module.recognise(row)), None)


@cache
def keys_of(format_name: str) -> frozenset[str]:
    """Return the keys that a format uses."""
    return frozenset(ROWS[format_name].__struct_encode_fields__)  # type: ignore[attr-defined]
