"""figures.py: a figure's value, number of rows and interval, and the p-value of a difference."""

import numpy as np
import pytest

from pipeline.evaluation.figures import Resampled, is_figure

TIMES = 200
ROWS = 120
ALONE = np.arange(ROWS)
BY_TENS, BY_TWENTIES = ALONE // 10, ALONE // 20


class Mean:
    """The mean of a value over the rows."""

    def __init__(self, unit="mean"):
        self.unit = unit

    def score(self, sums):
        """Return the mean of sums: of the values, and of the rows."""
        return float(sums[0] / sums[1])


def as_statistics(values):
    """Return, rows x 2: the value and one; NaN for a row without a value."""
    return np.stack([values, np.where(np.isnan(values), np.nan, 1.0)], axis=1)


@pytest.fixture
def values():
    """Return a value for each row under two models, the same within ten rows; the second is better in most rows."""
    base = np.repeat(np.random.default_rng(2).normal(size=ROWS // 10), 10)
    return {"base": base, "dpo": base + np.random.default_rng(3).normal(0.3, 1, ROWS)}


def hits(count, rows=ROWS):
    """Return values of two models: `count` ones and then zeros, and all ones."""
    return {"base": (np.arange(rows) < count).astype(float), "dpo": np.ones(rows)}


def resample(values, prompts=ALONE, times=TIMES, seed=17):
    """Return the values of the models, resampled."""
    statistics = {("mean", model): as_statistics(of_model) for model, of_model in values.items()}
    return Resampled(statistics, prompts, times, seed)


def figure(values, **changed):
    """Return the figure of the first model."""
    return resample(values, **changed).figure("mean", Mean(), "base", "command")


def comparison(values, **changed):
    """Return the figure of the second model minus that of the first."""
    return resample(values, **changed).comparison("mean", Mean(), "base", "dpo", "command")


def width(found):
    """Return how far the bounds of a figure's interval are apart."""
    return found["high"] - found["low"]


@pytest.mark.parametrize("compute", [figure, comparison])
def test_another_seed_gives_another_interval(compute, values):
    first, again, other = (compute(values, seed=seed) for seed in (17, 17, 18))
    assert first == again
    assert (first["low"], first["high"]) != (other["low"], other["high"])


def test_another_seed_gives_another_p(values):
    assert comparison(values, seed=17)["p"] != comparison(values, seed=18)["p"]


def test_the_interval_is_wider_where_alike_rows_share_a_prompt(values):
    assert width(figure(values, prompts=BY_TENS)) > 2 * width(figure(values, prompts=ALONE))


def test_swaps_are_of_all_rows_of_a_prompt(values):
    moved = {"base": values["base"], "dpo": values["base"] + 1}
    assert comparison(moved, prompts=ALONE)["p"] == pytest.approx(1 / (TIMES + 1), abs=1e-6)
    assert comparison(moved, prompts=BY_TWENTIES)["p"] > 2 / (TIMES + 1)  # of six prompts, chance swaps all or none


@pytest.mark.parametrize("times", [50, 400])
def test_the_smallest_p_is_one_among_the_resamples(times, values):
    apart = {"base": values["base"], "dpo": values["base"] + 1}
    assert comparison(apart, times=times)["p"] == pytest.approx(1 / (times + 1), abs=1e-6)


@pytest.mark.parametrize("compute", [figure, comparison])
@pytest.mark.parametrize(
    "changed", [{"prompts": BY_TWENTIES}, {"times": 1}], ids=["fewer than 10 prompts", "draws that are all alike"]
)
def test_a_mean_of_which_the_draws_say_too_little_has_no_interval(compute, changed, values):
    found = compute(values, **changed)
    assert (found["low"], found["high"]) == (None, None) and found["value"] is not None


def test_a_mean_of_zeros_and_ones_has_the_interval_of_a_share_with_few_rows_too():
    found = figure(hits(1, 29), prompts=np.arange(29))
    assert (found["low"], found["high"]) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    found = figure(hits(4, 4), prompts=np.arange(4))
    assert (found["low"], found["high"]) == (pytest.approx(0.51, abs=5e-3), 1.0)


def test_a_difference_of_shares_is_known_apart_from_the_draws():
    found = [comparison(hits(60), seed=seed) for seed in (17, 18)]
    assert found[0]["low"] == found[1]["low"] and 0.4 < found[0]["low"] < 0.5 < found[0]["high"] < 0.6


def test_numbers_that_happen_to_be_zero_or_one_are_no_share_where_their_unit_says_so():
    tokens = resample({"base": np.zeros(ROWS)}).figure("mean", Mean("tokens"), "base", "command")
    assert (tokens["value"], tokens["low"], tokens["high"]) == (0.0, None, None)


def test_a_difference_is_of_the_rows_that_the_model_with_fewer_has(values):
    lacking = values["base"].copy()
    lacking[:7] = np.nan
    for given in ({"base": lacking, "dpo": values["dpo"]}, {"base": values["dpo"], "dpo": lacking}):
        assert comparison(given)["n"] == ROWS - 7


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"value": 1.0, "n": 3}, True),
        ({"value": None, "n": 0}, True),
        ({"value": {"n": 3}}, False),
        ({}, False),
        (1.0, False),
    ],
)
def test_a_group_of_figures_is_no_figure_whatever_it_is_called(value, said):
    assert is_figure(value) is said
