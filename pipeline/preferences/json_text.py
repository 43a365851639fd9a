"""Read the JSON that a text may hold, as cells of tables do."""

import json
from typing import Any


def read_json(value: Any) -> Any:
    """Return the list or the object that a text holds as JSON, None for `null`; any other value as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:1] not in ("[", "{"):
        return None if text == "null" else value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return value
