"""Groups of held-out pairs: by tag, and by length. Rewards are shown for each group."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.pair_scores import PairScores

Members = dict[str, NDArray[np.bool_]]
QUARTERS = (0.25, 0.5, 0.75)


def group_by_tag(pairs: PairScores) -> Members:
    """Return the pairs of each tag; empty if no pair has a tag."""
    tags: NDArray[Any] = np.array([tag or "" for tag in pairs.tags], object)
    return {tag: tags == tag for tag in sorted(set(tags) - {""})}


def group_by_length(pairs: PairScores) -> Members:
    """Return the pairs of each quarter by tokens of the longer answer, with names like "9 to 14 tokens"."""
    longest = pairs.tokens.max(axis=1)
    bounds = np.unique(np.quantile(longest, QUARTERS, method="lower"))
    quarter = np.searchsorted(bounds, longest)
    groups = [quarter == number for number in range(len(bounds) + 1)]
    return {
        f"{longest[members].min()} to {longest[members].max()} tokens": members for members in groups if members.any()
    }
