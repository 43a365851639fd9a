"""UltraFeedback's kind: a prompt with several scored `completions`; the best one against the worst.

Sources: Cui et al. 2023, https://huggingface.co/datasets/openbmb/UltraFeedback, whose `overall_score` has known
faults, which is why `fine-grained_score` goes before it; berkeley-nest/Nectar, which ranks from 1, the best.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from pipeline.preferences.checks import BLANK
from pipeline.preferences.formats.source import (
    Answer,
    Id,
    OptionalText,
    RawText,
    Source,
    Tag,
    begin_with,
    make_pair,
    prompt_of_text,
)
from pipeline.preferences.formats.trl import message_paths
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected

Score = float | UnsetType
# Of a completion, beside its answer and its scores: how it was made, and remarks on it.
ABOUT = frozenset({"principle", "custom_system_prompt", "annotations", "critique", "rationale"})


class Completion(Struct, gc=False):
    """One answer under one of the usual names, and its score under one of those."""

    response: RawText | UnsetType = UNSET
    text: RawText | UnsetType = UNSET
    content: RawText | UnsetType = UNSET
    answer: RawText | UnsetType = UNSET
    completion: RawText | UnsetType = UNSET
    score: Score = UNSET
    fine_grained_score: Score = field(default=UNSET, name="fine-grained_score")
    overall_score: Score = UNSET
    rating: Score = UNSET
    rank: Score = UNSET

    def __post_init__(self) -> None:
        if not self.answers or not self.scores:
            raise ValueError("a completion needs an answer and a score")

    @property
    def answers(self) -> list[str]:
        """The answer, once for each name that it has."""
        texts = (self.response, self.text, self.content, self.answer, self.completion)
        return [text for text in texts if not isinstance(text, UnsetType)]

    @property
    def scores(self) -> dict[str, float]:
        """The scores by name, the one that counts first. The best rank is the lowest."""
        rank = self.rank if isinstance(self.rank, UnsetType) else -self.rank
        scores = {
            "score": self.score,
            "fine-grained_score": self.fine_grained_score,
            "overall_score": self.overall_score,
            "rating": self.rating,
            "rank": rank,
        }
        return {name: score for name, score in scores.items() if not isinstance(score, UnsetType)}


class Row(Struct, gc=False):
    """A row."""

    completions: Annotated[list[Completion], Meta(min_length=2)]
    instruction: RawText | UnsetType = UNSET
    prompt: Answer | UnsetType = UNSET
    system: OptionalText = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if self.instruction is UNSET and self.prompt is UNSET:
            raise ValueError("one of instruction and prompt is needed")
        if isinstance(self.prompt, str) and not self.prompt.strip():
            raise ValueError(BLANK)


def recognise(row: Mapping[str, object]) -> bool:
    return "completions" in row


def join_scores(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which a list of texts and a list of scores are one list of completions."""
    texts, scores = row.get("completions"), row.get("scores")
    if isinstance(texts, list) and all(isinstance(text, dict) for text in texts):
        return row | {"completions": [plain_completion(text) for text in texts]}
    if not isinstance(texts, list) or not isinstance(scores, list) or not all(isinstance(text, str) for text in texts):
        return row
    if len(texts) != len(scores):
        raise Rejected(Finding("wrong-structure", "$.scores", f"{len(scores)} scores of {len(texts)} answers"))
    both = [{"text": text, "score": score} for text, score in zip(texts, scores, strict=True)]
    return {key: value for key, value in row.items() if key != "scores"} | {"completions": both}


def plain_completion(completion: dict[str, Any]) -> dict[str, Any]:
    """Return a completion without nulls, whose answer is a text where it is one message with nothing else in it."""
    if None in completion.values():
        completion = {key: value for key, value in completion.items() if value is not None}
    match completion.get("completion"):
        case [{"role": "assistant", "content": str(text), **rest}] if not rest:
            return completion | {"completion": text}
    return completion


def convert(row: Row, min_margin: float) -> Source:
    """Return the best and the worst completion (the earlier one of equals) as a pair."""
    for number, completion in enumerate(row.completions):
        if len(set(completion.answers)) > 1:
            raise Rejected(Finding("ambiguous-key", f"$.completions[{number}]", "it has two answers, and they differ"))
    scores = comparable_scores(row.completions)
    best, worst = scores.index(max(scores)), scores.index(min(scores))
    if scores[best] - scores[worst] < min_margin:
        detail = f"the best score is {scores[best]:g}, the worst {scores[worst]:g}"
        raise Rejected(Finding("small-margin", "$.completions", detail))
    prompt, paths = read_prompt(row)
    messages = [*prompt, Message("assistant", row.completions[best].answers[0])]
    pair = make_pair(messages, row.completions[worst].answers[0], row.id, row.tag)
    source = Source(pair, [*paths, f"$.completions[{best}]"], f"$.completions[{worst}]")
    return begin_with(row.system, source)


def comparable_scores(completions: list[Completion]) -> list[float]:
    """Return the score of each completion, under the first name that all of them have."""
    each = [completion.scores for completion in completions]
    for name in each[0]:
        if all(name in scores for scores in each):
            return [scores[name] for scores in each]
    raise Rejected(Finding("wrong-structure", "$.completions", "they have no score of one name"))


def read_prompt(row: Row) -> tuple[list[Message], list[str]]:
    """Return the messages of the prompt, and the path of each."""
    if isinstance(row.instruction, str):
        if row.prompt not in (UNSET, row.instruction):
            raise Rejected(Finding("prompts-differ", "$.prompt", "instruction and prompt differ"))
        return [Message("user", row.instruction)], ["$.instruction"]
    if isinstance(row.prompt, str):
        messages = prompt_of_text(row.prompt, "$.prompt")
        return messages, ["$.prompt"] * len(messages)
    assert isinstance(row.prompt, list)
    return list(row.prompt), message_paths("$.prompt", row.prompt)
