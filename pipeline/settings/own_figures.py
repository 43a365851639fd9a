"""Figures of the user's own, evaluate.own: each has a name, a Python function, and says which values are better."""

from collections.abc import Iterator
from typing import Any

Figures = list[dict[str, Any]]

# The names of the evaluation's own figures of answers.
TAKEN = (
    *("bleu", "chrf", "ter", "numbers_kept", "placeholders_kept", "tags_kept", "urls_kept", "term_hits", "comet"),
    *("length_ratio", "empty", "refusals", "win_rate"),
)


def find_own_problems(figures: Figures) -> Iterator[str]:
    """Yield one line for each figure whose name another one has."""
    names = [*TAKEN, *(figure["name"] for figure in figures)]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"evaluate.own: {name} is the name of another figure; choose another name"


def own_files(figures: Figures, ours: bool) -> list[str]:
    """Return the files of the functions: this project's own code, or the user's files."""
    files = {figure["function"].partition(":")[0] for figure in figures}
    return sorted(file for file in files if file.startswith("pipeline/") == ours)
