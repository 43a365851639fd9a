"""Lay preference pairs out in one row without padding: what two answers have in common once, then the rest of each.

A token sees those before it only, so the states of tokens that both sequences begin with are the same in both, and
need one pass. A mask keeps the answers of a pair, and the pairs, from seeing each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from pipeline.training.row_length import row_length

SHARED, CHOSEN, REJECTED = 0, 1, 2
Mask = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Layout:
    """A batch of n pairs in one row of `length` tokens, filled up at its end with one more pair of padding.

    `ids` and `positions` have shape (1, length); `pair` and `part` (length,) say whose token it is. Of the tokens with
    a label, `sources` holds the place of the state that predicts each, `targets` the token, and `rows` the number of
    its sequence: 0 to n - 1 the chosen ones, n to 2n - 1 the rejected ones. All three are in the order of `rows`.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    pair: torch.Tensor
    part: torch.Tensor
    sources: torch.Tensor
    targets: torch.Tensor
    rows: torch.Tensor

    def to(self, device: torch.device | str) -> "Layout":
        """Return the same on a device."""
        return Layout(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


def lay_out_pairs(ids: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, padding: int) -> Layout:
    """Return the layout of the chosen sequences and the rejected ones after them, all of shape (2n, longest).

    `labels` are below 0 for a token that does not count, `mask` is 0 for padding on either side. The row is filled up
    with the token `padding`. Everything is on the CPU.
    """
    sequences = [(row[kept], own[kept]) for row, own, kept in zip(ids, labels, mask.bool(), strict=True)]
    count = len(sequences) // 2
    tokens, positions, pairs, parts = [], [], [], []
    found: list[tuple[torch.Tensor, ...]] = [()] * len(sequences)
    start = 0
    for number in range(count):
        (chosen, _), (rejected, _) = both = sequences[number], sequences[number + count]
        shared = common_start(chosen, rejected)
        ends = (0, shared, len(chosen), len(chosen) + len(rejected) - shared)
        tokens += [chosen, rejected[shared:]]
        positions += [torch.arange(len(chosen)), torch.arange(shared, len(rejected))]
        parts += [torch.full((end - begin,), part) for part, (begin, end) in enumerate(pairwise(ends))]
        pairs.append(torch.full((ends[-1],), number))
        for (own_ids, own), row, after in zip(both, (number, number + count), (shared, len(chosen)), strict=True):
            places = torch.arange(len(own_ids)) + start
            places[shared:] += after - shared
            wanted = (own[1:] >= 0).nonzero()[:, 0] + 1  # nothing predicts the first token
            found[row] = (places[wanted - 1], own_ids[wanted], torch.full_like(wanted, row))
        start += ends[-1]
    rest = row_length(start) - start
    filled = (torch.full((rest,), padding), torch.arange(rest), torch.full((rest,), count), torch.full((rest,), SHARED))
    row = [torch.cat([*some, end]) for some, end in zip((tokens, positions, pairs, parts), filled, strict=True)]
    answers = (torch.cat(some) for some in zip(*found, strict=True))
    return Layout(row[0][None], row[1][None], row[2], row[3], *answers)


def common_start(first: torch.Tensor, second: torch.Tensor) -> int:
    """Return how many tokens two sequences begin with alike."""
    shorter = min(len(first), len(second))
    differing = (first[:shorter] != second[:shorter]).nonzero()
    return int(differing[0]) if len(differing) else shorter


def visible(layout: Layout, window: int | None) -> Mask:
    """Return whether a token sees another, as flex attention asks it: from batch, head, place and place.

    `window` is how many tokens of its own sequence a token sees, itself among them; None for all.
    """
    pair, part, position = layout.pair, layout.part, layout.positions[0]

    def sees(batch: torch.Tensor, head: torch.Tensor, place: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        own = (pair[place] == pair[other]) & ((part[other] == SHARED) | (part[other] == part[place]))
        seen = own & (place >= other)
        return seen if window is None else seen & (position[place] - position[other] < window)

    return sees
