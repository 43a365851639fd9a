"""One answer a row, with a score or a label: pairs are made of the rows of one prompt (preferences/read_rated.py).

Sources: TRL, docs/source/dataset_formats.md (Unpaired preference); ms-swift, Custom-dataset.md (KTO);
nvidia/HelpSteer2; RicardoRei/wmt-da-human-evaluation.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from pipeline.preferences.checks import BLANK
from pipeline.preferences.formats.source import (
    Answer,
    Messages,
    OptionalText,
    Source,
    Tag,
    begin_with,
    make_pair,
    prompt_of_text,
)
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.prompt_settings import PromptSettings

LOSERS = {"rejected", "rejected_response", "rejected_messages"}  # keys of rows with two answers


class Row(Struct, gc=False):
    """A row: a prompt with an answer, or messages that end with one; and a score, or a label."""

    prompt: Answer | UnsetType | None = UNSET
    answer: Answer | UnsetType | None = UNSET
    messages: Messages | UnsetType | None = UNSET
    system: OptionalText = UNSET
    score: float | UnsetType | None = UNSET
    label: bool | float | UnsetType | None = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if not (self.messages or (self.prompt and self.answer)):
            raise ValueError("messages are needed, or a prompt and an answer")
        if self.score in (UNSET, None) and self.label in (UNSET, None):
            raise ValueError("one of score, label is needed")
        if any(isinstance(text, str) and not text.strip() for text in (self.prompt, self.answer)):
            raise ValueError(BLANK)


class Rated(NamedTuple):
    """An answer to a prompt, and how good it is."""

    prompt: tuple[tuple[str, str], ...]  # role and text of each message
    answer: str
    score: float
    labelled: bool
    tag: Tag
    beside: bytes  # the settings of its prompt, as JSON


def recognise(row: Mapping[str, object]) -> bool:
    answers = "messages" in row or {"prompt", "answer"} <= set(row)
    return answers and ("score" in row or "label" in row) and not LOSERS & set(row)


def rate(row: Row, settings: PromptSettings) -> Rated:
    """Return the answer of a row with its prompt and its score, 1 or 0 for a label."""
    turns = read_turns(row)
    if turns[-1].role != "assistant":
        raise Rejected(Finding("no-final-answer", "$"))
    pair = begin_with(row.system, Source(make_pair(turns, ""), [], "")).pair
    prompt = tuple((turn.role, turn.content) for turn in pair.messages[:-1])
    score, labelled = read_score(row)
    return Rated(prompt, turns[-1].content, score, labelled, row.tag, msgspec.json.encode(settings.as_row()))


def read_score(row: Row) -> tuple[float, bool]:
    """Return the score of a row, and whether it is a label."""
    if isinstance(row.score, float | int) and row.label in (UNSET, None):
        return row.score, False
    if isinstance(row.score, float | int):
        raise Rejected(Finding("ambiguous-key", "$.label", "score says how good the answer is, and label too"))
    if row.label not in (0, 1):
        raise Rejected(Finding("wrong-structure", "$.label", f"{row.label} is neither true nor false"))
    return int(row.label), True


def read_turns(row: Row) -> Sequence[Message]:
    """Return the messages of a row, the answer last. Rejected: messages beside another prompt or answer."""
    prompt = prompt_of_text(row.prompt, "$.prompt") if isinstance(row.prompt, str) else list(row.prompt or [])
    answer = [Message("assistant", row.answer)] if isinstance(row.answer, str) else list(row.answer or [])
    if not isinstance(row.messages, list):
        return [*prompt, *answer]
    if (prompt and prompt != row.messages[:-1]) or (answer and answer != row.messages[-1:]):
        raise Rejected(Finding("ambiguous-key", "$.messages", "not the prompt and the answer that stand beside it"))
    return row.messages
