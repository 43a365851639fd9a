"""Anthropic HH: `chosen` and `rejected` are transcripts, `Human:` and `Assistant:` each after a blank line.

Source: Bai et al. 2022, https://github.com/anthropics/hh-rlhf (README, Data).
"""

import re
from collections.abc import Mapping

from msgspec import UNSET, Struct

from pipeline.preferences.formats.source import Id, RawText, Source, Tag, make_pair
from pipeline.preferences.pair import Message, Role
from pipeline.preferences.problems import Finding, Rejected

SPEAKER = re.compile(r"\n\n(Human|Assistant):")
ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


class Row(Struct, gc=False):
    """A row; other keys are allowed and left behind."""

    chosen: RawText
    rejected: RawText
    id: Id = UNSET
    tag: Tag = UNSET


def recognise(row: Mapping[str, object]) -> bool:
    texts = [row.get("chosen"), row.get("rejected")]
    return "prompt" not in row and all(isinstance(text, str) and SPEAKER.match(text) for text in texts)


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair; both transcripts must share all turns but the last."""
    chosen, rejected = read_transcript(row.chosen, "$.chosen"), read_transcript(row.rejected, "$.rejected")
    if chosen[:-1] != rejected[:-1]:
        raise Rejected(Finding("prompts-differ", "$.rejected"))
    pair = make_pair(chosen, rejected[-1].content, row.id, row.tag)
    return Source(pair, ["$.chosen"] * len(chosen), "$.rejected")


def read_transcript(text: str, path: str) -> list[Message]:
    """Return the turns of a transcript, which begins with a speaker and ends with an answer."""
    before, *turns = SPEAKER.split(text)
    if before.strip() or not turns:
        raise Rejected(Finding("wrong-structure", path, "does not begin with a blank line and `Human:`"))
    messages = [Message(ROLES[speaker], words.strip()) for speaker, words in zip(turns[::2], turns[1::2], strict=True)]
    if messages[-1].role != "assistant":
        raise Rejected(Finding("no-final-answer", path))
    return messages
