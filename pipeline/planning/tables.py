"""Tables of a plan: their columns, the kinds of trainings that are their rows, and numbers in words."""

from collections.abc import Iterable
from typing import Any

from pipeline.planning.gpus import GIB

Plan = dict[str, Any]


def align_columns(head: list[str], rows: Iterable[list[str]], first: int) -> list[str]:
    """Return lines with aligned columns: the first to the left, `first` characters wide, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(1, len(head))]
    return [
        f"  {line[0]:<{first}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], widths, strict=True))
        for line in lines
    ]


def group(trainings: list[Plan], keys: tuple[str, ...]) -> list[tuple[Plan, int]]:
    """Return one training of each kind with their number, in order; one kind agrees in stage and keys."""
    kinds: dict[tuple[Any, ...], list[Plan]] = {}
    for training in trainings:
        kinds.setdefault((training["stage"], *(str(training[key]) for key in keys)), []).append(training)
    return [(found[0], len(found)) for found in kinds.values()]


def title(training: Plan, count: int, is_alone: bool) -> str:
    """Return the name of a kind of training: its stage, and its run if there are other kinds."""
    if count > 1:
        return f"{training['stage']}, {count} trainings each"
    return training["stage"] if is_alone else f"{training['stage']} of {training['run']}"


def name_kinds(trainings: list[Plan], keys: tuple[str, ...]) -> list[tuple[str, Plan]]:
    """Return one of each kind of training with its title."""
    kinds = group(trainings, keys)
    stages = [training["stage"] for training, _ in kinds]
    return [(title(kind, count, stages.count(kind["stage"]) == 1), kind) for kind, count in kinds]


def gib(count: float) -> str:
    """Return bytes as GiB."""
    return f"{count / GIB:.1f}" if count else "-"


def size(count: float) -> str:
    """Return bytes as a round number of the largest unit that is not above it."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.1f} kB"


def amount(count: int) -> str:
    """Return a number of weights in words."""
    return f"{count / 1e9:.2f} billion" if count >= 1e9 else f"{count / 1e6:.2f} million"


def hours(seconds: float) -> str:
    """Return seconds as hours, with two digits that mean something."""
    return f"{seconds / 3600:.2f}" if seconds < 36_000 else f"{seconds / 3600:,.0f}"


def duration(seconds: float) -> str:
    """Return seconds in the unit in which they are read most easily."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
