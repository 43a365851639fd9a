"""The formats of preference data that are read row by row. To add one, add a module here and its schema.

Each module has `Row` (the type that screens), `recognise` (by keys) and `convert` (to a pair). What `Row` refuses,
`$defs/<name>` of schemas/pair.schema.json refuses too, and says why. A set that only names our keys differently needs
no module but an entry of preferences/layouts.yaml. MQM, whose pairs are made of many rows, is read by
preferences/read_mqm.py.
"""

from collections.abc import Mapping
from functools import cache
from types import ModuleType

from pipeline.preferences.formats import ab, alpaca, hh, scored, swift, trl

# In the order in which they are tried: trl accepts what is left of chosen and rejected.
FORMATS: dict[str, ModuleType] = {
    "swift": swift,
    "ab": ab,
    "scored": scored,
    "alpaca": alpaca,
    "hh": hh,
    "trl": trl,
}


def recognise_format(row: object) -> str | None:
    """Return the name of the first format that a row under our names has the keys of."""
    if not isinstance(row, Mapping):
        return None
    return next((name for name, module in FORMATS.items() if module.recognise(row)), None)


@cache
def keys_of(format_name: str) -> frozenset[str]:
    """Return the keys that a format uses."""
    return frozenset(FORMATS[format_name].Row.__struct_encode_fields__)
