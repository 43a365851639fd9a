"""shares.py: intervals of shares are those that were published, and hold the true value as often as they say."""

import numpy as np
import pytest

from pipeline.evaluation.shares import count_independent, difference_interval, share_interval


def rows(hits: int, count: int) -> np.ndarray:
    """Return a row for each prompt; the first `hits` are hits."""
    return np.stack([np.arange(count) < hits, np.ones(count)], axis=1).astype(float)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_the_one_in_newcombes_paper_of_1998(hits, count, low, high):
    assert share_interval(rows(hits, count)) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_all_rows_is_not_known_for_certain():
    low, high = share_interval(rows(120, 120))
    assert (low, high) == pytest.approx((0.969, 1.0), abs=5e-4)


def test_rows_of_a_prompt_that_always_agree_count_as_one():
    prompts = np.array([[10.0, 10.0]] * 3 + [[0.0, 10.0]] * 9)
    assert share_interval(prompts) == pytest.approx(share_interval(rows(3, 12)))


@pytest.mark.parametrize(
    ("prompts", "count"),
    [
        ([[8, 8]] * 12, 12),  # all hits: nothing says how alike rows of a prompt are
        ([[5, 10], [5, 10], [4, 10], [6, 10]] * 5, 200),  # apart as little as chance, so every row counts
        ([[1, 1]] * 9 + [[91, 91]], 100**2 / (9 + 91**2)),  # one prompt has nearly all rows
        ([[1, 1], [0, 0], [1, 1]], 2),  # a prompt without a row that counts
    ],
)
def test_dependent_rows_count_as_fewer(prompts, count):
    assert count_independent(np.array(prompts, float)) == pytest.approx(count)


def test_two_models_that_are_right_on_every_row_may_differ_all_the_same():
    low, high = difference_interval(rows(120, 120), rows(120, 120))
    assert low == -high == pytest.approx(-0.031, abs=5e-4)


def test_a_difference_the_other_way_round_has_the_interval_the_other_way_round():
    low, high = difference_interval(rows(9, 40), rows(20, 40))
    assert difference_interval(rows(20, 40), rows(9, 40)) == pytest.approx((-high, -low))


@pytest.mark.parametrize("count", [12, 60])
def test_an_interval_of_a_difference_holds_the_true_one_in_95_of_100_draws(count):
    random = np.random.default_rng(7)
    hits = np.stack([random.random((400, count)) < share for share in (0.7, 0.9)], axis=1)
    both = random.random((400, count)) < 0.5  # on half of the rows, the second model does as the first
    hits[:, 1] = np.where(both, hits[:, 0], hits[:, 1])
    found = [
        difference_interval(*(np.stack([side, np.ones(count)], 1) for side in draw.astype(float))) for draw in hits
    ]
    assert 0.93 <= np.mean([low <= 0.1 <= high for low, high in found]) <= 0.99
