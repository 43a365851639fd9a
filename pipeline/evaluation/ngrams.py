"""Count the n-grams that two texts share, for many texts at once.

sacrebleu counts one text at a time, which takes minutes for 100,000. The counts here are
the same, which the tests show.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
ROWS_AT_ONCE = 4096
# An odd number without pattern: multiplied by it, and mixed, different n-grams get different 64 bits, for all practical
# purposes; only those of one row are compared with each other.
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Texts(NamedTuple):
    """Texts as numbers: all tokens one after the other, and the number of tokens of each text."""

    tokens: NDArray[np.uint64]
    lengths: Counts

    def part(self, start: int, stop: int) -> Self:
        """Return some of the texts."""
        first, last = int(self.lengths[:start].sum()), int(self.lengths[:stop].sum())
        return type(self)(self.tokens[first:last], self.lengths[start:stop])


def count_overlaps(hypotheses: Texts, references: Texts, order: int) -> tuple[Counts, Counts, Counts]:
    """Return three counts, each rows x order: the n-grams of the hypotheses, of the references, and common ones."""
    starts = range(0, len(hypotheses.lengths), ROWS_AT_ONCE)
    parts = [
        count_chunk([side.part(start, start + ROWS_AT_ONCE) for side in (hypotheses, references)], order)
        for start in starts
    ]
    one, two, common = (np.concatenate(found) for found in zip(*parts, strict=True))
    return one, two, common


def count_chunk(sides: list[Texts], order: int) -> tuple[Counts, Counts, Counts]:
    """Return the same counts for a few thousand rows."""
    rows = len(sides[0].lengths)
    counts = [np.zeros((rows, order), np.int64) for _ in range(3)]
    owners = [np.repeat(np.arange(rows), side.lengths) for side in sides]
    hashes = [np.zeros(len(side.tokens), np.uint64) for side in sides]
    for n in range(order):
        keys = []
        for i, side in enumerate(sides):
            hashes[i], kept = extend(hashes[i], side.tokens, owners[i], n)
            counts[i][:, n] = np.bincount(kept, minlength=rows)
            keys.append(in_row(hashes[i], kept))
        counts[2][:, n] = count_common(keys, rows)
    return counts[0], counts[1], counts[2]


def extend(
    hashes: NDArray[np.uint64], tokens: NDArray[np.uint64], owners: Counts, n: int
) -> tuple[NDArray[np.uint64], Counts]:
    """Return hashes of the n-grams one token longer, and their rows, from those of `n` tokens."""
    if n == 0:
        return mix(tokens), owners
    if len(tokens) <= n:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    # hashes[i] is of tokens[i : i + n], within a row; an n-gram that would cross into the next row is dropped.
    inside = owners[n:] == owners[:-n]
    whole = np.zeros(len(tokens), np.uint64)
    starts = np.flatnonzero(owners[n - 1 :] == owners[: len(owners) - n + 1]) if n > 1 else np.arange(len(tokens))
    whole[starts] = hashes
    longer = mix(whole[:-n] * MULTIPLIER + tokens[n:])
    return longer[inside], owners[:-n][inside]


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values with their bits mixed (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = values + MULTIPLIER
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def in_row(hashes: NDArray[np.uint64], owners: Counts) -> NDArray[np.uint64]:
    """Return keys that differ between rows: the row in the upper bits, the hash in the rest."""
    bits = np.uint64(12)  # 2 ** 12 rows at once
    return (owners.astype(np.uint64) << (np.uint64(64) - bits)) | (hashes >> bits)


def count_common(keys: list[NDArray[np.uint64]], rows: int) -> Counts:
    """Return the number of common n-grams of each row: each counts as often as on the side with fewer of it."""
    (one, one_counts), (two, two_counts) = (np.unique(side, return_counts=True) for side in keys)
    common, in_one, in_two = np.intersect1d(one, two, assume_unique=True, return_indices=True)
    owners = (common >> np.uint64(52)).astype(np.int64)
    matched = np.minimum(one_counts[in_one], two_counts[in_two])
    return np.bincount(owners, weights=matched, minlength=rows).astype(np.int64)
