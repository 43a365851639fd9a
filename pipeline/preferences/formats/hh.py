"""Anthropic HH: `chosen` and `rejected` are transcripts, `Human:` and `Assistant:` each after a blank line.

Source: Bai et al. 2022, https://github.com/anthropics/hh-rlhf (README, Data).
"""

from collections.abc import Mapping

from msgspec import UNSET, Struct

from pipeline.preferences.formats.source import (
    SPEAKER,
    Id,
    OptionalText,
    RawText,
    Score,
    Source,
    Tag,
    begin_with,
    check_scores,
    make_pair,
    read_transcript,
)
from pipeline.preferences.problems import Finding, Rejected


class Row(Struct, gc=False):
    """A row."""

    chosen: RawText
    rejected: RawText
    system: OptionalText = UNSET
    score_chosen: Score = UNSET
    score_rejected: Score = UNSET
    margin: Score = UNSET
    id: Id = UNSET
    tag: Tag = UNSET


def recognise(row: Mapping[str, object]) -> bool:
    texts = [row.get("chosen"), row.get("rejected")]
    return "prompt" not in row and all(isinstance(text, str) and SPEAKER.match(text) for text in texts)


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair; both transcripts must share all turns but the last."""
    check_scores(row.score_chosen, row.score_rejected, row.margin, min_margin)
    chosen, rejected = read_transcript(row.chosen, "$.chosen"), read_transcript(row.rejected, "$.rejected")
    for path, turns in (("$.chosen", chosen), ("$.rejected", rejected)):
        if turns[-1].role != "assistant":
            raise Rejected(Finding("no-final-answer", path))
    if chosen[:-1] != rejected[:-1]:
        raise Rejected(Finding("prompts-differ", "$.rejected"))
    pair = make_pair(chosen, rejected[-1].content, row.id, row.tag)
    return begin_with(row.system, Source(pair, ["$.chosen"] * len(chosen), "$.rejected"))
