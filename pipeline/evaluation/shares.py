"""Intervals of shares: Wilson's (1927), and Newcombe's (1998) for the difference of two on the same prompts.

They hold where a share is 0 or 1, and for few rows: there, draws with replacement are all alike and say nothing.
`by_prompt` is prompts x 2: hits, and the rows that could be one. Rows of one prompt are not independent, so they count
as fewer (Kish 1965).
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Z = 1.959964  # of the normal distribution, for 95 %
NO_SPREAD = 1e-20  # a variance that is nothing but rounding


def deviate(by_prompt: Array) -> Array:
    """Return by how much the hits of each prompt are above what its rows would have at the common share."""
    hits, rows = by_prompt.T
    deviations: Array = hits - hits.sum() / rows.sum() * rows
    return deviations


def count_independent(by_prompt: Array) -> float:
    """Return the number of independent rows that would know the share as well as these rows do.

    If all prompts have the same share, nothing says how alike the rows of one prompt are; they are taken as one.
    """
    hits, rows = by_prompt.T
    share, count = hits.sum() / rows.sum(), rows.sum()
    variance = float((deviate(by_prompt) ** 2).sum() / count**2)
    if variance < NO_SPREAD:
        return float(count**2 / (rows**2).sum())
    return float(min(share * (1 - share) / variance, count))


def share_interval(by_prompt: Array) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share, count = float(by_prompt[:, 0].sum() / by_prompt[:, 1].sum()), count_independent(by_prompt)
    middle = share + Z**2 / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    whole = 1 + Z**2 / count
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def difference_interval(one: Array, two: Array) -> tuple[float, float]:
    """Return Newcombe's 95 % interval of the second share minus the first; both are of the same prompts."""
    first, second = (float(sums[:, 0].sum() / sums[:, 1].sum()) for sums in (one, two))
    (first_low, first_high), (second_low, second_high) = map(share_interval, (one, two))
    alike = correlate(deviate(one), deviate(two))

    def distance(left: float, right: float) -> float:
        return math.sqrt(max(0.0, left**2 - 2 * alike * left * right + right**2))

    difference = second - first
    low = difference - distance(second - second_low, first_high - first)
    return low, difference + distance(second_high - second, first - first_low)


def correlate(one: Array, two: Array) -> float:
    """Return the correlation of the deviations of two models; 0, which makes intervals wider, if one has none."""
    spread = math.sqrt(float((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / spread if spread > NO_SPREAD else 0.0
