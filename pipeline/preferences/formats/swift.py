"""ms-swift: `messages` ends with the chosen answer; `rejected_response`, or `rejected_messages`, loses.

Source: ms-swift, docs/source_en/Customization/Custom-dataset.md (RLHF, DPO).
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from pipeline.preferences.formats.source import Id, RawMessage, RawText, Source, Tag, make_pair
from pipeline.preferences.problems import Finding, Rejected

Messages = Annotated[list[RawMessage], Meta(min_length=1)]


class Row(Struct, gc=False):
    """A row; other keys are allowed and left behind."""

    messages: Messages
    rejected_response: RawText | UnsetType = UNSET
    rejected_messages: Messages | UnsetType | None = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if self.rejected_response is UNSET and not self.rejected_messages:
            raise ValueError("one of rejected_response and rejected_messages is needed")


def recognise(row: Mapping[str, object]) -> bool:
    # Some sets in another format hold the chosen conversation as `messages` too.
    return "rejected_response" in row or ("messages" in row and not {"chosen", "rejected"} <= set(row))


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair; rejected_messages must share all turns but the last."""
    paths = [f"$.messages[{number}].content" for number in range(len(row.messages))]
    if not isinstance(row.rejected_response, UnsetType):
        return Source(make_pair(row.messages, row.rejected_response, row.id, row.tag), paths, "$.rejected_response")
    assert isinstance(row.rejected_messages, list)
    *prompt, rejected = row.rejected_messages
    if rejected.role != "assistant":
        raise Rejected(Finding("no-final-answer", "$.rejected_messages"))
    if prompt != row.messages[:-1]:
        raise Rejected(Finding("prompts-differ", "$.rejected_messages"))
    pair = make_pair(row.messages, rejected.content, row.id, row.tag)
    return Source(pair, paths, f"$.rejected_messages[{len(prompt)}].content")
