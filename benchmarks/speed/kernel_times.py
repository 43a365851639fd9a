"""Add up what a GPU did: milliseconds of each kind of kernel, and those in which it had nothing to do."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

# A kernel is of the first kind that its name fits.
KINDS = {
    "grouped products of the experts": r"GroupProblemShape|grouped_mm",
    "dequantising": r"dequantise",
    "attention": r"flex_attention|triton_tem",
    "other products": r"nvjet|gemm|cutlass",
    "softmax of the head": r"(?i)soft_?max|cross_entropy|nll",
    "compiled: norms, gates, gathers, scatters, casts": r"^triton_",
    "copies": r"Memcpy|Memset",
    "not compiled": r"",
}
SHOWN = 40  # kernels
GAPS = 15


class Kernel(NamedTuple):
    """A kernel's run: its name, and when it began and ended, in microseconds."""

    name: str
    begin: float
    end: float


def kind_of(name: str) -> str:
    """Return the kind of a kernel."""
    return next(kind for kind, pattern in KINDS.items() if re.search(pattern, name))


def find_gaps(kernels: Iterable[Kernel]) -> list[tuple[float, str, str]]:
    """Return the times in which no kernel ran: microseconds, and the names of those before and after; longest first."""
    ordered = sorted(kernels, key=lambda kernel: kernel.begin)
    gaps, last = [], ordered[0]
    for kernel in ordered[1:]:
        if kernel.begin > last.end:
            gaps.append((kernel.begin - last.end, last.name, kernel.name))
        last = max(last, kernel, key=lambda one: one.end)
    return sorted(gaps, reverse=True)


def sum_up(kernels: Sequence[Kernel], steps: int) -> dict[str, Any]:
    """Return milliseconds of a step: from its begin to its end, in gaps, and by kind and kernel, with their counts."""
    gaps = find_gaps(kernels)
    begin, end = min(kernel.begin for kernel in kernels), max(kernel.end for kernel in kernels)
    runs: dict[str, list[float]] = defaultdict(list)
    for name, began, ended in kernels:
        runs[name].append(ended - began)
    kinds = dict.fromkeys(KINDS, 0.0)
    for name, spent in runs.items():
        kinds[kind_of(name)] += sum(spent)
    longest = sorted(runs.items(), key=lambda run: -sum(run[1]))[:SHOWN]

    def milliseconds(microseconds: float) -> float:
        return round(microseconds / 1000 / steps, 3)

    return {
        "milliseconds": milliseconds(end - begin),
        "gaps": milliseconds(sum(gap for gap, _, _ in gaps)),
        "kinds": {kind: milliseconds(spent) for kind, spent in kinds.items()},
        "kernels": [[name[:120], milliseconds(sum(spent)), round(len(spent) / steps, 1)] for name, spent in longest],
        "longest_gaps": [[milliseconds(gap), before[:80], after[:80]] for gap, before, after in gaps[:GAPS]],
    }
