"""Read files of scores, which an older release may have written."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines


def read_score_rows(path: Path, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return the rows of a file of scores; stop with one line at a row that lacks one of the keys."""
    rows: list[dict[str, Any]] = read_json_lines(path)
    for line, row in enumerate(rows, start=1):
        if missing := [key for key in keys if key not in row]:
            sys.exit(f"{path}:{line}: no {missing[0]}: an older release wrote these scores; delete it and run again")
    return rows
