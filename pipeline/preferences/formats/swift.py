"""ms-swift: `messages` ends with the chosen answer; `rejected_response`, or `rejected_messages`, loses.

Source: ms-swift, docs/source_en/Customization/Custom-dataset.md (RLHF, DPO).
"""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct, UnsetType

from pipeline.preferences.checks import BLANK
from pipeline.preferences.formats.source import (
    Answer,
    Id,
    Messages,
    OptionalText,
    Score,
    Source,
    Tag,
    begin_with,
    check_scores,
    make_pair,
)
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected


class Row(Struct, gc=False):
    """A row; the rejected response is a text, or one message in a list."""

    messages: Messages
    rejected_response: Answer | UnsetType = UNSET
    rejected_messages: Messages | UnsetType | None = UNSET
    system: OptionalText = UNSET
    score_chosen: Score = UNSET
    score_rejected: Score = UNSET
    margin: Score = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if self.rejected_response is UNSET and not self.rejected_messages:
            raise ValueError("one of rejected_response and rejected_messages is needed")
        if isinstance(self.rejected_response, str) and not self.rejected_response.strip():
            raise ValueError(BLANK)


def recognise(row: Mapping[str, object]) -> bool:
    # Some sets in another format hold the chosen conversation as `messages` too.
    return "messages" in row and ("rejected_response" in row or not {"chosen", "rejected"} <= set(row))


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair. Rejected: two rejected answers that differ."""
    check_scores(row.score_chosen, row.score_rejected, row.margin, min_margin)
    answers: dict[str, str] = {}
    if isinstance(row.rejected_response, str):
        answers["$.rejected_response"] = row.rejected_response
    elif isinstance(row.rejected_response, list):
        answers["$.rejected_response[0].content"] = read_answer(row.rejected_response)
    if row.rejected_messages:
        last = len(row.rejected_messages) - 1
        answers[f"$.rejected_messages[{last}].content"] = read_conversation(row.rejected_messages, row.messages)
    (path, rejected), *others = answers.items()
    if others and others[0][1] != rejected:
        raise Rejected(Finding("ambiguous-key", "$", "rejected_response and rejected_messages differ"))
    paths = [f"$.messages[{number}].content" for number in range(len(row.messages))]
    return begin_with(row.system, Source(make_pair(row.messages, rejected, row.id, row.tag), paths, path))


def read_answer(turns: Sequence[Message]) -> str:
    """Return the answer in a list of messages."""
    if len(turns) > 1 or turns[0].role != "assistant":
        raise Rejected(Finding("wrong-structure", "$.rejected_response", "not one message of the assistant's"))
    return turns[0].content


def read_conversation(turns: Sequence[Message], messages: Sequence[Message]) -> str:
    """Return the answer at the end of rejected_messages, whose other turns must be those before the chosen answer."""
    *prompt, rejected = turns
    if rejected.role != "assistant":
        raise Rejected(Finding("no-final-answer", "$.rejected_messages"))
    if prompt != messages[:-1]:
        raise Rejected(Finding("prompts-differ", "$.rejected_messages"))
    return rejected.content
