"""Two answers and a verdict: `a`, `b`, and which of them is better; a tie makes no pair.

Sources: nvidia/HelpSteer3 (preference, from -3 for the first to 3 for the second), PKU-Alignment/PKU-SafeRLHF
(number of the better one), stanfordnlp/SHP (1 where the first is preferred), lmsys/chatbot_arena_conversations.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from pipeline.preferences.checks import BLANK
from pipeline.preferences.formats import trl
from pipeline.preferences.formats.source import Answer, Id, Source, Tag
from pipeline.preferences.problems import Finding, Rejected

VERDICTS = ("winner", "preference", "number_of_winner", "a_wins", "score_a")
WINNERS = {
    "a": "ab",
    "model_a": "ab",
    "response_a": "ab",
    "first": "ab",
    "left": "ab",
    "b": "ba",
    "model_b": "ba",
    "response_b": "ba",
    "second": "ba",
    "right": "ba",
    "tie": "",
    "both": "",
    "both_good": "",
    "both_bad": "",
    "neither": "",
    "tie (bothbad)": "",
}


class Row(Struct, gc=False):
    """A row with one verdict: a word, a signed preference, a number from 0, a yes or no, or a score of each answer."""

    a: Answer
    b: Answer
    prompt: Answer | UnsetType | None = UNSET
    system: str | UnsetType | None = UNSET
    winner: str | UnsetType | None = UNSET
    preference: float | UnsetType | None = UNSET
    number_of_winner: float | UnsetType | None = UNSET
    a_wins: float | bool | UnsetType | None = UNSET
    score_a: float | UnsetType | None = UNSET
    score_b: float | UnsetType | None = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if isinstance(self.a, str) != isinstance(self.b, str):
            raise ValueError("a and b must be both text or both messages")
        if any(isinstance(text, str) and not text.strip() for text in (self.a, self.b, self.prompt)):
            raise ValueError(BLANK)


def recognise(row: Mapping[str, object]) -> bool:
    return "a" in row and "b" in row


def convert(row: Row, min_margin: float) -> Source:
    """Return the better answer and the other one as a pair."""
    order = judge(row, min_margin)
    if not order:
        raise Rejected(Finding("tie"))
    answers = {"a": row.a, "b": row.b}
    chosen, rejected = (answers[name] for name in order)
    pair = trl.Row(chosen=chosen, rejected=rejected, prompt=row.prompt, system=row.system, id=row.id, tag=row.tag)
    source = trl.convert(pair, min_margin)
    names = {"chosen": order[0], "rejected": order[1]}
    paths = [rename_path(path, names) for path in source.message_paths]
    return Source(source.pair, paths, rename_path(source.rejected_path, names))


def rename_path(path: str, names: Mapping[str, str]) -> str:
    """Return a path in the row of two answers."""
    for name, ours in names.items():
        path = f"$.{ours}{path.removeprefix(f'$.{name}')}" if path.startswith(f"$.{name}") else path
    return path


def judge(row: Row, min_margin: float) -> Sequence[str]:
    """Return the names of the better and of the other answer; nothing if they are equally good."""
    given: list[str] = [name for name in VERDICTS if getattr(row, name) not in (UNSET, None)]
    if len(given) != 1:
        raise Rejected(
            Finding("wrong-structure", "$", f"one verdict is needed, not {len(given)}: {', '.join(VERDICTS)}")
        )
    value: Any = getattr(row, given[0])
    if given[0] == "winner":
        return read_winner(value)
    if given[0] == "score_a":
        return compare_scores(row.score_a, row.score_b, min_margin)
    if given[0] == "preference":
        return "ab" if value < 0 else "ba" if value > 0 else ""
    if value not in (0, 1):
        raise Rejected(Finding("wrong-structure", f"$.{given[0]}", f"{value:g} is neither 0 nor 1"))
    return "ab" if value == (given[0] == "a_wins") else "ba"


def read_winner(word: str) -> Sequence[str]:
    """Return the order that a word means."""
    if (order := WINNERS.get(word.strip().lower())) is None:
        raise Rejected(Finding("wrong-structure", "$.winner", f"{word!r} is not one of {', '.join(WINNERS)}"))
    return order


def compare_scores(a: Any, b: Any, min_margin: float) -> Sequence[str]:
    """Return the order of two scores that lie far enough apart."""
    if not isinstance(b, float | int):
        raise Rejected(Finding("wrong-structure", "$.score_b", "score_a needs score_b beside it"))
    if abs(a - b) < min_margin:
        raise Rejected(Finding("small-margin", "$.score_a", f"the scores are {a:g} and {b:g}"))
    return "ab" if a > b else "ba"
