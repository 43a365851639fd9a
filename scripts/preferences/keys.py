"""Numbers that stand for a pair when it is compared with all others: equal keys, equal texts.

Keys are 64-bit hashes. In ten million pairs, the chance that any two different ones share a key is about
one in a hundred thousand.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preferences.columns import SYSTEM, Columns, as_utf8

Keys = NDArray[np.uint64]

ODD = np.uint64(0x9E3779B97F4A7C15)
PIECE_BYTES = 8  # near duplicates are compared by pieces of this length
SAMPLE = 8  # one in so many positions begins a piece that counts
BANDS, ROWS = 4, 3  # prompts that share 0.8 of their pieces meet in a band with a chance of 94 %
MULTIPLIERS = np.random.default_rng(17).integers(1 << 63, size=BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
NO_BAND = np.uint64(0)  # of a prompt too short to compare


def mix(keys: Keys) -> Keys:
    """Return keys whose sums mean nothing, so that they can be added up."""
    keys = (keys ^ (keys >> np.uint64(31))) * ODD
    return keys ^ (keys >> np.uint64(29))


def prompt_keys(columns: Columns, hashes: Keys) -> Keys:
    """Return the key of each pair's prompt: all roles and texts before the answer, in order."""
    messages = mix(hashes[: len(columns.roles)] + columns.roles.astype(np.uint64))
    messages = mix(messages + columns.position.astype(np.uint64) * ODD)
    return mix(np.add.reduceat(messages, columns.starts) - messages[columns.ends - 1])


def pair_keys(columns: Columns, hashes: Keys, prompts: Keys) -> Keys:
    """Return the key of prompt and both answers. Where the answers change places, only the lowest bit differs."""
    chosen, rejected = hashes[columns.ends - 1], hashes[len(columns.roles) :]
    both = mix(prompts + mix(chosen) + mix(rejected))
    return (both & ~np.uint64(1)) | (chosen < rejected).astype(np.uint64)


def text_keys(texts: Sequence[str]) -> Keys:
    """Return the key of each text."""
    return pl.Series(texts, dtype=pl.String).hash(17).to_numpy()


def asked(columns: Columns) -> NDArray[np.bool_]:
    """Return which messages are what prompts are compared by: all before the answer that are no system message."""
    chosen: NDArray[np.bool_] = columns.roles != SYSTEM
    chosen[columns.ends - 1] = False
    return chosen


def prompt_sizes(columns: Columns) -> Keys:
    """Return how many bytes each pair's prompt has."""
    sizes = np.diff(columns.utf8[1])[: len(columns.roles)] * asked(columns)
    return np.add.reduceat(sizes, columns.starts).astype(np.uint64) if len(sizes) else sizes.astype(np.uint64)


def band_keys(columns: Columns) -> Keys:
    """Return BANDS keys of each pair's prompt, shape (N, BANDS). Similar prompts probably share one.

    Pieces that begin at sampled positions are hashed; of each of BANDS x ROWS hashes the smallest value of a
    prompt is kept (minhash), and ROWS of them make a band.
    """
    messages = asked(columns)
    data, offsets = as_utf8(columns.texts.head(len(messages)).filter(pl.Series(messages)))
    # The sum of two bytes decides whether a position is sampled: the same text, the same samples.
    sampled = ((data[:-1] * np.uint8(37) + data[1:] * np.uint8(101)) & np.uint8(SAMPLE - 1)) == 0
    positions = np.flatnonzero(sampled[: max(len(data) - PIECE_BYTES + 1, 0)])
    text = np.searchsorted(offsets, positions, side="right") - 1
    inside = positions + PIECE_BYTES <= offsets[text + 1]  # a piece does not go on into the next text
    positions, owner = positions[inside], columns.owner[: len(messages)][messages][text[inside]]
    pieces = mix(np.ndarray(max(len(data) - PIECE_BYTES + 1, 0), np.dtype("<u8"), data, strides=(1,))[positions])
    bands = np.full((len(columns.lengths), BANDS), NO_BAND)
    if not len(positions):
        return bands
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    smallest = [np.minimum.reduceat(pieces * multiplier, first) for multiplier in MULTIPLIERS]
    for band in range(BANDS):
        one, two, three = smallest[band * ROWS : (band + 1) * ROWS]
        bands[owner[first], band] = mix(mix(one) + mix(two * ODD) + mix(mix(three) * ODD)) | np.uint64(1)
    return bands
