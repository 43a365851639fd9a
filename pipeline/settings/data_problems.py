"""Find settings of the data that do not go together."""

from collections.abc import Iterator
from typing import Any


def find_data_problems(data: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each setting of the split that has no effect beside data.val, or without it."""
    if data["val"] and data["split_by_tag"]:
        yield "data.split_by_tag: not used with data.val, which is held out whole; set it to false, or data.val to null"
    if data["val_overlap"] == "drop" and not data["val"]:
        yield "data.val_overlap: drop is only used with data.val; name its pairs there, or set stop"
