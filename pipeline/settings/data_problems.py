"""Find settings of the data that do not go together."""

from collections.abc import Iterator
from typing import Any


def find_data_problems(data: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each name that two keys get, and for each setting of the split that has no effect."""
    given = list((data["columns"] or {}).values())
    if twice := next((ours for ours in given if given.count(ours) > 1), None):
        yield f"data.columns: two keys are {twice}; keep one of them"
    if data["val"] and data["split_by_tag"]:
        yield "data.split_by_tag: not used with data.val, which is held out whole; set it to false, or data.val to null"
    if data["val_max"] and data["val"]:
        yield "data.val_max: not used with data.val, which is held out whole; set it to null, or data.val"
    elif data["val_max"] and data["split_by_tag"]:
        yield "data.val_max: not used with data.split_by_tag; set it to null, or data.split_by_tag to false"
    if data["val_overlap"] == "drop" and not data["val"]:
        yield "data.val_overlap: drop is only used with data.val; name its pairs there, or set stop"
