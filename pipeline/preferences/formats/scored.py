"""UltraFeedback's kind: a prompt with several scored `completions`; the best one against the worst.

Source: Cui et al. 2023, https://huggingface.co/datasets/openbmb/UltraFeedback. Its `overall_score` has known
faults, which is why `fine-grained_score` goes before it.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from pipeline.preferences.formats.source import Id, RawText, Source, Tag, make_pair
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected

Score = float | UnsetType


class Completion(Struct, gc=False):
    """One answer under one of the usual names, and its score under one of those."""

    response: RawText | UnsetType = UNSET
    text: RawText | UnsetType = UNSET
    content: RawText | UnsetType = UNSET
    score: Score = UNSET
    fine_grained_score: Score = field(default=UNSET, name="fine-grained_score")
    overall_score: Score = UNSET
    rating: Score = UNSET

    def __post_init__(self) -> None:
        if not self.answers or not self.scores:
            raise ValueError("a completion needs an answer and a score")

    @property
    def answers(self) -> list[str]:
        """The answer, once for each name that it has."""
        return [text for text in (self.response, self.text, self.content) if not isinstance(text, UnsetType)]

    @property
    def scores(self) -> list[float]:
        """The scores, the one that counts first."""
        scores = (self.score, self.fine_grained_score, self.overall_score, self.rating)
        return [score for score in scores if not isinstance(score, UnsetType)]


class Row(Struct, gc=False):
    """A row; other keys are allowed and left behind."""

    completions: Annotated[list[Completion], Meta(min_length=2)]
    instruction: RawText | UnsetType = UNSET
    prompt: RawText | UnsetType = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if self.instruction is UNSET and self.prompt is UNSET:
            raise ValueError("one of instruction and prompt is needed")


def recognise(row: Mapping[str, object]) -> bool:
    return "completions" in row


def convert(row: Row, min_margin: float) -> Source:
    """Return the best and the worst completion (the earlier one of equals) as a pair."""
    scores = [completion.scores[0] for completion in row.completions]
    best, worst = scores.index(max(scores)), scores.index(min(scores))
    if scores[best] - scores[worst] < min_margin:
        detail = f"the best score is {scores[best]:g}, the worst {scores[worst]:g}"
        raise Rejected(Finding("small-margin", "$.completions", detail))
    question, path = row.instruction, "$.instruction"
    if isinstance(question, UnsetType):
        question, path = row.prompt, "$.prompt"
    assert not isinstance(question, UnsetType)
    messages = [Message("user", question), Message("assistant", row.completions[best].answers[0])]
    pair = make_pair(messages, row.completions[worst].answers[0], row.id, row.tag)
    return Source(pair, [path, f"$.completions[{best}]"], f"$.completions[{worst}]")
