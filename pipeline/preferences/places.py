"""places.jsonl: where each pair stands in the raw files, a line for each stretch of pairs that follow one another."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.files.json_lines import iterate_json_lines
from pipeline.preferences.chunk import Place
from pipeline.preferences.spill import BLOCK_ROWS, Column, Spill


def write_places(path: Path, breaks: Iterator[tuple[int, int]], place_of: Callable[[int], Place]) -> None:
    """Write the places of the pairs at which a new stretch of rows begins; `breaks` are those of find_breaks."""
    with path.open("w", encoding="utf-8") as out:
        for position, row in breaks:
            where = {name: value for name, value in place_of(row)._asdict().items() if value is not None}
            out.write(json.dumps({"pair": position + 1} | where, ensure_ascii=False) + "\n")


def find_breaks(numbers: Spill, lines: Spill, starts: Column, left_out: Column) -> Iterator[tuple[int, int]]:
    """Yield each pair whose row is not the next one of the same file: its position among those kept, and its row.

    Given are the number of each pair's row among all rows, its line, the number before each file, and the pairs that
    are not kept, in order.
    """
    position = 0
    due = np.zeros((3, 1), np.uint64)  # file, number and line of the row that would follow
    for start in range(0, numbers.count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, numbers.count)
        first, last = np.searchsorted(left_out, [start, stop])
        kept = np.delete(np.arange(start, stop), left_out[first:last].astype(np.int64) - start)
        here = read_rows(numbers, lines, starts, kept - start, start, stop)
        due = np.concatenate([due, here + np.stack([here[0] * 0, here[0] * 0 + 1, here[2] > 0])], axis=1)
        for index in np.flatnonzero((here != due[:, :-1]).any(axis=0)).tolist():
            yield position + index, int(kept[index])
        due, position = due[:, -1:], position + len(kept)


def read_rows(
    numbers: Spill, lines: Spill, starts: Column, kept: NDArray[np.int64], start: int, stop: int
) -> NDArray[np.uint64]:
    """Return file, number and line of the kept rows of a block, shape (3, kept)."""
    number, line = numbers.read(start, stop)[kept], lines.read(start, stop)[kept]
    file = np.searchsorted(starts, number, side="left").astype(np.uint64)
    return np.stack([file, number, line])


def iterate_places(pairs: Path, places: Path) -> Iterator[tuple[str, Place]]:
    """Yield the id of each pair of a conversion, and where it stands in the raw files."""
    stretches = iterate_json_lines(places)
    here, following = None, next(stretches, None)
    for position, pair in enumerate(iterate_json_lines(pairs), start=1):
        if following and following["pair"] == position:
            here, following = following, next(stretches, None)
        if here is None:
            return
        line, row = (here[name] + position - here["pair"] if name in here else None for name in ("line", "row"))
        yield pair["id"], Place(here["file"], line, row)
