"""Name a file whose rows lie inside one object, with the command that writes them one a line."""

import json
import re
import shlex
from itertools import islice
from typing import Any

from pipeline.preferences.chunk import BrokenFile
from pipeline.preferences.formats import recognise_format

LIST = re.compile(r'"(\w+)"\s*:\s*\[\s*(?=\{)')  # a key whose value is a list of objects
LISTS = ("data", "rows", "examples", "instances")  # keys of a list of rows, whatever a row is
OUT = "rows.jsonl"
decode = json.JSONDecoder(parse_int=float).raw_decode


def refuse_wrapped_rows(head: bytes, file: str, goes_on: bool = False) -> None:
    """Refuse a file that begins with an object which holds all rows. `goes_on`: this object does, beyond `head`."""
    text = head.decode("utf-8", "replace")
    value, end = decode_at(text, 0)
    name = shlex.quote(file)
    if isinstance(value, dict) and is_table(value):
        orient = "orient='records', lines=True, force_ascii=False"
        command = f"python -c \"import pandas, sys; pandas.read_json(sys.argv[1]).to_json('{OUT}', {orient})\" {name}"
        raise wrapped(f"an object of columns; `{command}` writes {OUT}")
    if isinstance(value, dict) and len(value) > 1 and all(map(recognise_format, value.values())):
        raise wrapped(f"its rows are the values of {len(value):,} keys; `jq -c '.[]' {name} > {OUT}` writes them")
    if isinstance(value, dict) and not recognise_format(value):
        lists = [match for match in LIST.finditer(text, 0, end) if match[1] in value]
    else:
        lists = list(islice(LIST.finditer(text), 1)) if goes_on and value is None else []
    for match in lists:
        row, _ = decode_at(text, match.end())
        if isinstance(row, dict) and recognise_format(row.get("row")):
            raise wrapped(f"its rows are in {match[1]}; `jq -c '.{match[1]}[].row' {name} > {OUT}` writes them")
        if recognise_format(row) or (value and match[1] in LISTS):
            raise wrapped(f"its rows are in {match[1]}; `jq -c '.{match[1]}[]' {name} > {OUT}` writes them")


def wrapped(problem: str) -> BrokenFile:
    """Return the error about a file of one object."""
    return BrokenFile(problem, 1, code="wrapped-rows")


def decode_at(text: str, position: int) -> tuple[Any, int]:
    """Return the value that begins at a position, and its end; None where there is no whole value."""
    try:
        return decode(text, position)
    except (json.JSONDecodeError, RecursionError):
        return None, position


def is_table(value: dict[str, Any]) -> bool:
    """Say whether an object maps each column to its cells: by their number, as pandas does, or in order."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, dict | list) and column for column in columns):
        return False
    if all(isinstance(column, dict) for column in columns):
        first = columns[0].keys()
        is_numbered = all(name.isdigit() for name in first) and all(column.keys() == first for column in columns)
        return is_numbered and is_row({key: column[min(column)] for key, column in value.items()})
    if all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return not any(isinstance(column[0], dict) for column in columns) and is_row(
            {key: column[0] for key, column in value.items()}
        )
    return False


def is_row(row: dict[str, Any]) -> bool:
    """Say whether a row has the keys of a format."""
    return recognise_format(row) is not None
