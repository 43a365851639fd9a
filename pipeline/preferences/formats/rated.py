"""One answer a row, with a score or a label: pairs are made of the rows of one prompt (preferences/read_rated.py).

Sources: TRL, docs/source/dataset_formats.md (Unpaired preference); ms-swift, Custom-dataset.md (KTO);
nvidia/HelpSteer2; RicardoRei/wmt-da-human-evaluation.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET, Struct, UnsetType

from pipeline.preferences.checks import BLANK
from pipeline.preferences.formats.source import Answer, Id, Messages, OptionalText, Tag, prompt_of_text
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected

LOSERS = {"rejected", "rejected_response", "rejected_messages"}  # keys of rows with two answers


class Row(Struct, gc=False):
    """A row: a prompt with an answer, or messages that end with one; and a score, or a label."""

    prompt: Answer | UnsetType | None = UNSET
    answer: Answer | UnsetType | None = UNSET
    messages: Messages | UnsetType | None = UNSET
    system: OptionalText = UNSET
    score: float | UnsetType | None = UNSET
    label: bool | float | UnsetType | None = UNSET
    id: Id = UNSET
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
    tag: Tag = UNSET


def recognise(row: Mapping[str, object]) -> bool:
    answers = "messages" in row or {"prompt", "answer"} <= set(row)
    return answers and ("score" in row or "label" in row) and not LOSERS & set(row)


def rate(row: Row) -> Rated:
    """Return the answer of a row with its prompt and its score, 1 or 0 for a label."""
    turns = read_turns(row)
    if turns[-1].role != "assistant":
        raise Rejected(Finding("no-final-answer", "$"))
    if isinstance(row.system, str) and row.system.strip():
        if turns[0].role != "system":
            turns = [Message("system", row.system), *turns]
        elif turns[0].content.strip() != row.system.strip():
            raise Rejected(Finding("systems-differ", "$.system"))
    prompt = tuple((turn.role, turn.content) for turn in turns[:-1])
    if isinstance(row.score, float | int):
        if row.label not in (UNSET, None):
            raise Rejected(Finding("ambiguous-key", "$.label", "a label beside a score; only one of them can count"))
        return Rated(prompt, turns[-1].content, row.score, labelled=False, tag=row.tag)
    if row.label not in (0, 1):
        raise Rejected(Finding("wrong-structure", "$.label", f"{row.label} is neither true nor false"))
    return Rated(prompt, turns[-1].content, int(row.label), labelled=True, tag=row.tag)


def read_turns(row: Row) -> Sequence[Message]:
    """Return the messages of a row, the answer last. Rejected: messages beside another prompt or answer."""
    prompt = prompt_of_text(row.prompt, "$.prompt") if isinstance(row.prompt, str) else list(row.prompt or [])
    answer = [Message("assistant", row.answer)] if isinstance(row.answer, str) else list(row.answer or [])
    if not isinstance(row.messages, list):
        return [*prompt, *answer]
    if (prompt and prompt != row.messages[:-1]) or (answer and answer != row.messages[-1:]):
        raise Rejected(Finding("ambiguous-key", "$.messages", "not the prompt and the answer that stand beside it"))
    return row.messages
