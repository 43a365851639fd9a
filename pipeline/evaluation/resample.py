"""Intervals and p-values of figures: paired bootstrap and approximate randomisation, by prompt.

Rows of one prompt are drawn together, and every model and figure sees the same draws (Koehn 2004; Riezler & Maxwell
2005). sacrebleu draws rows, not prompts; if each prompt has one row, both agree, which the tests show.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Score = Callable[[Array], float]
AT_ONCE = 16
CONFIDENCE = 0.95


def sum_by_prompt(statistics: Array, prompts: NDArray[np.int64]) -> Array:
    """Return the sums of the rows of each prompt; a row that does not count adds nothing."""
    sums = np.zeros((int(prompts.max()) + 1, statistics.shape[1]))
    np.add.at(sums, prompts, np.nan_to_num(statistics))
    return sums


def bootstrap(by_prompt: Array, times: int, seed: int) -> Array:
    """Return, times x columns, the sums of prompts drawn with replacement: each draw has all their number."""
    random = np.random.default_rng(seed)
    number = len(by_prompt)

    def draw() -> Array:
        return np.bincount(random.integers(number, size=number), minlength=number).astype(np.float64)

    return in_blocks(draw, by_prompt, times)


def swap(differences: Array, times: int, seed: int) -> Array:
    """Return, times x columns, the sums of differences over prompts; each prompt is taken with probability 1/2."""
    random = np.random.default_rng(seed)
    number = len(differences)
    return in_blocks(lambda: random.integers(2, size=number, dtype=np.int8).astype(np.float64), differences, times)


def in_blocks(draw: Callable[[], Array], by_prompt: Array, times: int) -> Array:
    """Return the sums of `by_prompt` under weights drawn `times` times, holding few weights at once."""
    sums = [
        np.stack([draw() for _ in range(min(AT_ONCE, times - start))]) @ by_prompt for start in range(0, times, AT_ONCE)
    ]
    return np.concatenate(sums)


def interval(values: Array) -> tuple[float, float] | tuple[None, None]:
    """Return the bounds between which the middle 95 % of the values lie."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def randomisation_p(one: Array, two: Array, moved: Array, score: Score) -> float | None:
    """Return how often random swaps of two models' answers, by prompt, give a difference as large.

    `one` and `two` are their sums; each row of `moved` is what `swap` takes from `two` and gives to `one`.
    """
    seen = abs(score(two) - score(one))
    if not np.isfinite(seen):
        return None
    as_large = sum(abs(score(two - move) - score(one + move)) >= seen - 1e-12 for move in moved)
    return float((as_large + 1) / (len(moved) + 1))
