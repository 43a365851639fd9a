"""benchmarks/speed/rows.py: what a training could do at most counts the passes and the tokens that it computes."""

import pytest

from benchmarks.speed.rows import ROWS, count_passes, find_limit


@pytest.mark.parametrize(
    ("name", "passes", "limit"),
    [
        ("recipe, reference in the step", 3, 49_200),
        ("recipe, reference kept", 2, 73_800),
        ("the tutorial's flags", 4, 27_675),  # its checkpointing computes a pass once more
    ],
)
def test_a_kept_reference_takes_no_pass_and_a_prompt_in_one_row_is_computed_once(name, passes, limit):
    row = ROWS[name]
    assert (count_passes(name, row), round(find_limit(name, row))) == (passes, limit)
