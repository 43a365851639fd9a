"""The answers of several models to the same prompts, side by side."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

# The id of a prompt, and the number of the answer where a prompt has several.
AnswerId = tuple[str, int | None]


class Row(msgspec.Struct):
    """A row of predictions.jsonl (schemas/prediction.schema.json)."""

    id: str
    messages: list[dict[str, str]]
    response: str
    chosen: str
    rejected: str
    tag: str | None = None
    answer: int | None = None


@dataclass
class SideBySide:
    """The values that figures are computed from; lists have an entry for each row.

    `prompts` numbers the prompts: rows of the same prompt have the same number, and are drawn together.
    """

    ids: list[AnswerId] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)  # the last user message
    chosen: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)  # by model
    prompts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def models(self) -> list[str]:
        """The models, in the order of their training."""
        return list(self.answers)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a predictions.jsonl; stop with one line at a row that is not a prediction."""
    decode = msgspec.json.Decoder(Row).decode
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decode(line)
            except msgspec.MsgspecError as error:
                sys.exit(f"{path}, line {number}: not a prediction ({error}); see schemas/prediction.schema.json")


def read_side_by_side(files: Mapping[str, Path]) -> SideBySide:
    """Return the answers of the models in these files, which must have the same rows in the same order."""
    models = list(files)
    first = models[0]
    rows = SideBySide(answers={first: []})
    numbers: dict[bytes, int] = {}
    prompts = []
    for row in read_rows(files[first]):
        rows.ids.append((row.id, row.answer))
        rows.sources.append(last_user_text(row.messages))
        rows.chosen.append(row.chosen)
        rows.answers[first].append(row.response)
        prompts.append(numbers.setdefault(msgspec.json.encode(row.messages), len(numbers)))
    if not prompts:
        sys.exit(f"{files[first]}: no predictions; run the inference again")
    rows.prompts = np.array(prompts, np.int64)
    for model in models[1:]:
        rows.answers[model] = read_answers(files[model], rows, files[first])
    return rows


def read_answers(path: Path, rows: SideBySide, first: Path) -> list[str]:
    """Return the answers of one more model."""
    answers = []
    for number, row in enumerate(read_rows(path)):
        if (
            number >= len(rows.ids)
            or (row.id, row.answer) != rows.ids[number]
            or last_user_text(row.messages) != rows.sources[number]
        ):
            sys.exit(f"{path}, line {number + 1}: not the prompt of that line in {first}; answer the same prompts")
        answers.append(row.response)
    if len(answers) != len(rows.ids):
        sys.exit(f"{path}: {len(answers)} answers for the {len(rows.ids)} prompts of {first}; run the inference again")
    return answers


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return the text of the last user message; empty if there is no user message."""
    return next((str(message["content"]) for message in reversed(messages) if message["role"] == "user"), "")
