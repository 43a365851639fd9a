"""Alpaca ranking: `instruction` and `input` are the prompt, with `chosen` and `rejected`.

Source: LLaMA-Factory, data/README.md (Alpaca Format, Preference Dataset).
"""

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType

from pipeline.preferences.formats.source import (
    Id,
    OptionalText,
    RawText,
    Score,
    Source,
    Tag,
    begin_with,
    check_scores,
    make_pair,
)
from pipeline.preferences.pair import Message


class Row(Struct, gc=False):
    """A row. An empty `input` or `system` counts as missing."""

    instruction: RawText
    chosen: RawText
    rejected: RawText
    input: OptionalText = UNSET
    system: OptionalText = UNSET
    history: list[tuple[RawText, RawText]] | UnsetType | None = UNSET
    score_chosen: Score = UNSET
    score_rejected: Score = UNSET
    margin: Score = UNSET
    id: Id = UNSET
    tag: Tag = UNSET


def recognise(row: Mapping[str, object]) -> bool:
    return "instruction" in row and "chosen" in row and "rejected" in row and "prompt" not in row


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair; `history` holds earlier questions and answers."""
    check_scores(row.score_chosen, row.score_rejected, row.margin, min_margin)
    messages: list[Message] = []
    paths = []
    for number, (question, answer) in enumerate(row.history or []):
        messages += [Message("user", question), Message("assistant", answer)]
        paths += [f"$.history[{number}][0]", f"$.history[{number}][1]"]
    question = f"{row.instruction}\n{row.input}" if row.input else row.instruction
    messages += [Message("user", question), Message("assistant", row.chosen)]
    pair = make_pair(messages, row.rejected, row.id, row.tag)
    return begin_with(row.system, Source(pair, [*paths, "$.instruction", "$.chosen"], "$.rejected"))
