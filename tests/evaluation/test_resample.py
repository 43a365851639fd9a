"""resample.py: intervals cover the true value, and equal sacrebleu's, as p-values do, if each prompt has one row."""

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from pipeline.evaluation.resample import bootstrap, interval, randomisation_p, sum_by_prompt, swap

TIMES = 1000


def mean(sums):
    """Return the mean of sums: of values, and of rows."""
    return sums[0] / sums[1]


def as_statistics(values):
    """Return, rows x 2: the value and one."""
    return np.stack([np.asarray(values, float), np.ones(len(values))], axis=1)


def means(table, seed=17):
    """Return the mean of each draw."""
    return np.array([mean(sums) for sums in bootstrap(table, TIMES, seed)])


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_for_many_rows():
    values = np.random.default_rng(1).normal(5, 2, size=4000)
    low, high = interval(means(as_statistics(values)))
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_same_seed_draws_the_same_rows():
    table = as_statistics(np.arange(50.0))
    assert np.array_equal(means(table), means(table))
    assert not np.array_equal(means(table), means(table, seed=18))


def test_draws_do_not_depend_on_the_other_columns():
    table = as_statistics(np.arange(50.0))
    wider = np.hstack([table, np.ones((50, 3))])
    assert np.array_equal(bootstrap(table, 40, 17), bootstrap(wider, 40, 17)[:, :2])


def test_rows_of_one_prompt_are_drawn_together():
    values = np.random.default_rng(2).integers(2, size=100).astype(float)
    table = as_statistics(np.repeat(values, 10))
    apart = interval(means(table))
    together = interval(means(sum_by_prompt(table, np.repeat(np.arange(100), 10))))
    assert together[1] - together[0] > 2.5 * (apart[1] - apart[0])  # sqrt(10), except for chance


def test_a_row_that_does_not_count_adds_nothing():
    table = np.array([[1.0, 1.0], [np.nan, np.nan], [0.0, 1.0]])
    assert sum_by_prompt(table, np.array([0, 1, 1])).tolist() == [[1, 1], [0, 1]]


def test_each_prompt_is_swapped_in_half_of_the_swaps():
    shares = swap(np.eye(20), TIMES, seed=17).mean(axis=0)
    assert shares == pytest.approx(np.full(20, 0.5), abs=0.06)  # nearly four standard deviations


def test_models_that_answer_alike_do_not_differ():
    table = as_statistics(np.arange(20.0))
    sums = table.sum(axis=0)
    assert randomisation_p(sums, sums, swap(table - table, TIMES, 17), mean) == 1.0


def test_a_model_that_is_better_on_every_prompt_differs_as_surely_as_the_trials_can_say():
    one, two = as_statistics(np.zeros(50)), as_statistics(np.ones(50))
    found = randomisation_p(one.sum(axis=0), two.sum(axis=0), swap(two - one, TIMES, 17), mean)
    assert found == pytest.approx(1 / (TIMES + 1))


def test_p_is_uniform_where_chance_alone_decides():
    random = np.random.default_rng(3)
    found = []
    for seed in range(200):
        one, two = (as_statistics(random.normal(size=60)) for _ in range(2))
        found.append(randomisation_p(one.sum(axis=0), two.sum(axis=0), swap(two - one, 200, seed), mean))
    assert np.mean(np.array(found) <= 0.05) < 0.11 and 0.4 < np.mean(found) < 0.6


def test_intervals_and_p_of_bleu_are_those_of_sacrebleu():
    random = np.random.default_rng(4)
    words = [f"w{i}" for i in range(30)]
    chosen = [" ".join(random.choice(words, 12)) for _ in range(300)]

    def spoil(share):
        return [" ".join(w if random.random() > share else "x" for w in text.split()) for text in chosen]

    answers = {"base": spoil(0.30), "dpo": spoil(0.28)}
    bleu = BLEU()
    tables = [np.array(bleu._extract_corpus_statistics(texts, [chosen]), float) for texts in answers.values()]

    def score(sums):
        return bleu._compute_score_from_stats(list(sums)).score

    named = list(answers.items())
    _, theirs = PairedTest(named, {"bleu": BLEU()}, [chosen], test_type="ar", n_samples=4000, n_ar_confidence=2000)()
    moved = swap(tables[1] - tables[0], 4000, 17)
    assert randomisation_p(tables[0].sum(axis=0), tables[1].sum(axis=0), moved, score) == pytest.approx(
        theirs["BLEU"][1].p_value, abs=0.03
    )
    for table, result in zip(tables, theirs["BLEU"], strict=True):
        low, high = interval(np.array([score(sums) for sums in bootstrap(table, 2000, 17)]))
        assert (high - low) / 2 == pytest.approx(result.ci, rel=0.1)
