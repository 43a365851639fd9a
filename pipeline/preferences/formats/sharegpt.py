"""ShareGPT ranking: `conversations` (from, value) is the prompt, `chosen` and `rejected` are one turn each.

Source: LLaMA-Factory, data/README.md (Sharegpt Format, Preference Dataset).
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from pipeline.preferences.formats.source import Id, RawText, Source, Tag, make_pair
from pipeline.preferences.pair import Message, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
}


class Turn(Struct, gc=False, forbid_unknown_fields=True):
    """One turn of a conversation."""

    speaker: Literal["system", "human", "user", "gpt", "assistant"] = field(name="from")
    value: RawText


class Answer(Struct, gc=False, forbid_unknown_fields=True):
    """An answer."""

    speaker: Literal["gpt", "assistant"] = field(name="from")
    value: RawText


class Row(Struct, gc=False):
    """A row; other keys are allowed and left behind. An empty `system` counts as missing."""

    conversations: list[Turn]
    chosen: Answer
    rejected: Answer
    system: str | UnsetType | None = UNSET
    id: Id = UNSET
    tag: Tag = UNSET


def recognise(row: Mapping[str, object]) -> bool:
    return "conversations" in row


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair."""
    system = [Message("system", row.system)] if row.system else []
    turns = [Message(ROLES[turn.speaker], turn.value) for turn in row.conversations]
    paths = ["$.system"] * len(system) + [f"$.conversations[{number}].value" for number in range(len(turns))]
    messages = [*system, *turns, Message("assistant", row.chosen.value)]
    pair = make_pair(messages, row.rejected.value, row.id, row.tag)
    return Source(pair, [*paths, "$.chosen.value"], "$.rejected.value")
