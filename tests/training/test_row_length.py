"""row_length.py: few lengths, and little padding."""

import pytest

from pipeline.training.row_length import row_length


@pytest.mark.parametrize(("tokens", "length"), [(1, 128), (128, 128), (1025, 1152), (4097, 4608), (4816, 5120)])
def test_rows_have_one_of_few_lengths(tokens, length):
    assert row_length(tokens) == length
    assert length % 128 == 0 and length <= max(128, tokens * 9 / 8 + 128)
