"""preferences/spill.py: columns on disk, and the rows in them that repeat others."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import numpy as np
import pytest

from pipeline.preferences.spill import Spill


@pytest.fixture
def column(tmp_path) -> Iterator[Callable[..., Spill]]:
    """Return a function that returns a column with some values."""
    with ExitStack() as opened:

        def fill(*values: int) -> Spill:
            spill = opened.enter_context(closing(Spill(tmp_path / "column")))
            spill.append(np.array(values, np.uint64))
            return spill

        yield fill


def test_some_rows_of_a_column_are_read(column):
    spill = column(10, 11, 12, 13)
    assert spill.read(1, 3).tolist() == [11, 12]
    assert (spill[0], spill[3]) == (10, 13)


@pytest.mark.parametrize(
    ("values", "repeats"),
    [
        ((4, 5, 4, 4), [[2, 0], [3, 0]]),
        ((1, 1), [[1, 0]]),
        ((0, 0), []),  # no band
    ],
)
def test_a_row_repeats_the_first_one_with_its_value(column, values, repeats):
    (found,) = column(*values).repeats(0)
    assert found.tolist() == repeats


def test_the_lowest_bit_does_not_count_where_it_is_dropped(column):
    values, rows = column(5, 2, 4).part(0, drop_bit=True)
    assert (values.tolist(), rows.tolist()) == ([2, 5, 4], [1, 0, 2])
