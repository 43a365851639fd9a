"""Hash pairs to 64-bit keys, so that comparing keys compares texts.

In ten million pairs, the chance that any two different ones share a key is about
one in a hundred thousand.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.preferences.columns import SYSTEM, Columns, as_utf8

Keys = NDArray[np.uint64]

ODD = np.uint64(0x9E3779B97F4A7C15)
PIECE_BYTES = 8  # near duplicates are compared by pieces of this length
SAMPLE = 8  # on average, one position in SAMPLE begins a piece that is hashed
BANDS, ROWS = 4, 3  # prompts that share 0.8 of their pieces meet in a band with a chance of 94 %
HASHES = BANDS * ROWS
MULTIPLIERS = np.random.default_rng(17).integers(1 << 63, size=HASHES, dtype=np.uint64) | np.uint64(1)
SIGNATURE_BITS = 5  # of each hash
SIGNATURE_MASK = np.uint64((1 << SIGNATURE_BITS) - 1)
NO_BAND = np.uint64(0)  # of a prompt too short to compare


def mix(keys: Keys) -> Keys:
    """Scramble keys, so that the sum of several does not collide with other sums."""
    keys = (keys ^ (keys >> np.uint64(31))) * ODD
    return keys ^ (keys >> np.uint64(29))


def prompt_keys(columns: Columns, hashes: Keys) -> Keys:
    """Return the key of each pair's prompt: all roles and texts before the answer, in order."""
    messages = mix(hashes[: len(columns.roles)] + columns.roles.astype(np.uint64))
    messages = mix(messages + columns.position.astype(np.uint64) * ODD)
    return mix(np.add.reduceat(messages, columns.starts) - messages[columns.ends - 1])


def pair_keys(columns: Columns, hashes: Keys, prompts: Keys) -> Keys:
    """Return the key of prompt and both answers. If the answers change places, only the lowest bit differs."""
    chosen, rejected = hashes[columns.ends - 1], hashes[len(columns.roles) :]
    both = mix(prompts + mix(chosen) + mix(rejected))
    return (both & ~np.uint64(1)) | (chosen < rejected).astype(np.uint64)


def text_keys(texts: pl.Series) -> Keys:
    """Return the key of each text."""
    return texts.hash(17).to_numpy()


def sketch_prompts(columns: Columns) -> tuple[Keys, Keys]:
    """Return BANDS keys of each pair's prompt, shape (N, BANDS), and its signature.

    Pieces that begin at sampled positions are hashed; of each of HASHES hashes the smallest value of a prompt is
    kept (minhash). ROWS of them make a band: similar prompts probably share one. The lowest bits of all make the
    signature: of similar prompts, most of them are equal.
    """
    pieces, owner = sample_pieces(columns)
    bands = np.full((len(columns.lengths), BANDS), NO_BAND)
    signatures = np.zeros(len(columns.lengths), np.uint64)
    if len(pieces):
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        found = owner[first]
        smallest = [np.minimum.reduceat(pieces * multiplier, first) for multiplier in MULTIPLIERS]
        for band in range(BANDS):
            one, two, three = smallest[band * ROWS : (band + 1) * ROWS]
            bands[found, band] = mix(mix(one) + mix(two * ODD) + mix(mix(three) * ODD)) | np.uint64(1)
        for number, values in enumerate(smallest):
            signatures[found] |= (mix(values) & SIGNATURE_MASK) << np.uint64(number * SIGNATURE_BITS)
    return bands, signatures


def sample_pieces(columns: Columns) -> tuple[Keys, NDArray[np.int64]]:
    """Return the hashes of some pieces of all prompts, and the pair of each, in order."""
    messages = columns.roles != SYSTEM
    messages[columns.ends - 1] = False
    data, offsets = as_utf8(columns.texts.head(len(messages)).filter(pl.Series(messages)))
    # The sum of two bytes decides whether a position is sampled: the same text, the same samples.
    sampled = ((data[:-1] * np.uint8(37) + data[1:] * np.uint8(101)) & np.uint8(SAMPLE - 1)) == 0
    positions = np.flatnonzero(sampled[: max(len(data) - PIECE_BYTES + 1, 0)])
    text = np.searchsorted(offsets, positions, side="right") - 1
    inside = positions + PIECE_BYTES <= offsets[text + 1]  # a piece does not go on into the next text
    windows = np.ndarray(max(len(data) - PIECE_BYTES + 1, 0), np.dtype("<u8"), data, strides=(1,))
    return mix(windows[positions[inside]]), columns.owner[: len(messages)][messages][text[inside]]


def count_equal(one: Keys, two: Keys) -> NDArray[np.int64]:
    """Count the equal parts, of HASHES, in each two signatures."""
    differences = one ^ two
    shifts = np.arange(HASHES, dtype=np.uint64)[:, None] * np.uint64(SIGNATURE_BITS)
    equal: NDArray[np.int64] = (((differences >> shifts) & SIGNATURE_MASK) == 0).sum(axis=0)
    return equal
