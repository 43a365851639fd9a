"""Look at every number of a model's weights once: NaN, infinity, and packed blocks beyond bfloat16's range.

A tensor is read through a map of its file, a part at a time: nothing of the size of a model is in memory.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.models.weight_file import READ_AGAIN, Stored

PART = 1 << 22  # numbers, or blocks, that are looked at together
# Of each type: its bits as an unsigned number, and where infinity and NaN begin once the sign is shifted out.
NOT_FINITE = {"BF16": ("<u2", 0xFF00), "F32": ("<u4", 0xFF000000)}
# With scale 252, 2^125, all numbers of a block are in bfloat16's range, which ends below 2^128. With the two after it,
# 2^126 and 2^127, those up to these codes are: 3 and 1.5. Scale 255 is NaN.
SAFE_SCALE, NAN_SCALE = 252, 255
LARGEST_CODES = np.array([7] * (SAFE_SCALE + 1) + [5, 3, -1])


def find_bad_number(tensors: Mapping[str, Stored]) -> str | None:
    """Return in one line the first tensor, by name, that has NaN or infinity; None if there is no such tensor."""
    with ThreadPoolExecutor() as threads:  # numpy leaves Python's lock to others
        problems = threads.map(lambda name: find_problem(name, tensors), sorted(tensors))
        return next((problem for problem in problems if problem), None)


def find_problem(name: str, tensors: Mapping[str, Stored]) -> str | None:
    """Return in one line what is wrong with the numbers of a tensor; of packed blocks, its scales say it."""
    stored = tensors[name]
    if stored.kind.dtype in NOT_FINITE:
        bits, bad = NOT_FINITE[stored.kind.dtype]
        if any((part << 1).max() >= bad for part in read_parts(stored, bits)):
            return f"{stored.file}: {name} has NaN or infinity; {READ_AGAIN}"
    elif name.endswith("_scales") and (
        scale := find_bad_scale(stored, tensors[f"{name.removesuffix('scales')}blocks"])
    ):
        meaning = "is NaN" if scale == NAN_SCALE else "takes numbers beyond the range of bfloat16"
        return f"{stored.file}: {name} has {scale}, which {meaning}; {READ_AGAIN}"
    return None


def read_parts(stored: Stored, bits: str) -> Iterator[NDArray[Any]]:
    """Yield the numbers of a tensor as unsigned ones of the same size, some at a time."""
    count = stored.kind.size // np.dtype(bits).itemsize
    numbers = np.memmap(stored.file, bits, "r", stored.start, (count,))
    return (numbers[first : first + PART] for first in range(0, count, PART))


def find_bad_scale(scales: Stored, blocks: Stored) -> int | None:
    """Return the first scale that is NaN, or that takes a number of its block beyond bfloat16's range."""
    width = blocks.kind.shape[-1]
    packed = np.memmap(blocks.file, np.uint8, "r", blocks.start, (blocks.kind.size // width, width))
    for number, part in enumerate(read_parts(scales, "u1")):
        if part.max() <= SAFE_SCALE:
            continue
        high = np.flatnonzero(part > SAFE_SCALE)
        codes = packed[number * PART + high]
        largest = np.maximum(codes & 7, codes >> 4 & 7).max(axis=1)
        bad = high[largest > LARGEST_CODES[part[high]]]
        if bad.size:
            return int(part[bad[0]])
    return None
