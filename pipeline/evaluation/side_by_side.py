"""The answers of several models to the same prompts, side by side."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.predictions import HeldOut, read_predictions

# The id of a prompt, and the number of the answer where a prompt has several.
AnswerId = tuple[str, int | None]


class End(NamedTuple):
    """How an answer ended, and the tokens of its analysis and of its final."""

    finish: str
    analysis_tokens: int
    final_tokens: int


@dataclass
class SideBySide:
    """The values that figures are computed from; lists have an entry for each row.

    `prompts` numbers the prompts: rows of the same prompt have the same number, and are drawn together.
    """

    ids: list[AnswerId] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)  # the last user message
    chosen: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)  # by model, as they are scored
    ends: dict[str, list[End]] = field(default_factory=dict)  # by model
    prompts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def models(self) -> list[str]:
        """The models, in the order of their training."""
        return list(self.answers)


def read_side_by_side(files: Mapping[str, Path]) -> SideBySide:
    """Return the answers of the models in these files, which must have the same rows in the same order."""
    models = list(files)
    first = models[0]
    rows = SideBySide(answers={first: []}, ends={first: []})
    numbers: dict[bytes, int] = {}
    prompts = []
    for row in read_predictions(files[first], HeldOut):
        rows.ids.append((row.id, row.answer))
        rows.sources.append(last_user_text(row.messages))
        rows.chosen.append(row.chosen)
        add_answer(rows, first, row)
        prompts.append(numbers.setdefault(row.prompt, len(numbers)))
    if not prompts:
        sys.exit(f"{files[first]}: no predictions; run the inference again")
    rows.prompts = np.array(prompts, np.int64)
    for model in models[1:]:
        rows.answers[model], rows.ends[model] = [], []
        add_answers(rows, model, files[model], files[first])
    return rows


def add_answers(rows: SideBySide, model: str, path: Path, first: Path) -> None:
    """Add the answers of one more model."""
    for number, row in enumerate(read_predictions(path, HeldOut)):
        if (
            number >= len(rows.ids)
            or (row.id, row.answer) != rows.ids[number]
            or last_user_text(row.messages) != rows.sources[number]
        ):
            sys.exit(f"{path}, line {number + 1}: not the prompt of that line in {first}; answer the same prompts")
        add_answer(rows, model, row)
    if (count := len(rows.answers[model])) != len(rows.ids):
        sys.exit(f"{path}: {count} answers for the {len(rows.ids)} prompts of {first}; run the inference again")


def add_answer(rows: SideBySide, model: str, row: HeldOut) -> None:
    """Add one answer of a model, and how it ended."""
    rows.answers[model].append(row.counted)
    rows.ends[model].append(End(row.finish, row.analysis_tokens, row.final_tokens))


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return the text of the last user message; empty if there is no user message."""
    return next((str(message["content"]) for message in reversed(messages) if message["role"] == "user"), "")
