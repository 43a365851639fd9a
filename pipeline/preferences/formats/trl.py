"""TRL and Hugging Face: `prompt`, `chosen` and `rejected`, as text or as messages; the prompt may be implicit.

Source: TRL, docs/source/dataset_formats.md (Preference).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from pipeline.preferences.checks import BLANK
from pipeline.preferences.formats.source import Id, RawMessage, Source, Tag, make_pair
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected

Messages = Annotated[list[RawMessage], Meta(min_length=1)]


class Row(Struct, gc=False):
    """A row: both answers as text, or both as messages; other keys are allowed and left behind."""

    # A pattern for the text would be the natural way, but msgspec 0.22.0 then crashes when Python ends, now and then.
    chosen: str | Messages
    rejected: str | Messages
    prompt: str | Messages | UnsetType | None = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if isinstance(self.chosen, str) != isinstance(self.rejected, str):
            raise ValueError("chosen and rejected must be both text or both messages")
        if any(isinstance(text, str) and not text.strip() for text in (self.chosen, self.rejected, self.prompt)):
            raise ValueError(BLANK)


PROMPTS = ("question", "query", "instruction", "input", "system")


def recognise(row: Mapping[str, object]) -> bool:
    if "chosen" not in row or "rejected" not in row:
        return False
    # A prompt under another name would be taken for none, and the answers' common beginning for the prompt.
    return "prompt" in row or not isinstance(row["chosen"], str) or not any(name in row for name in PROMPTS)


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair."""
    if isinstance(row.chosen, str) and isinstance(row.rejected, str):
        return convert_text(row, row.chosen, row.rejected)
    assert not isinstance(row.chosen, str) and not isinstance(row.rejected, str)
    return convert_messages(row, row.chosen, row.rejected)


def convert_text(row: Row, chosen: str, rejected: str) -> Source:
    """Return a pair of plain answers. An implicit prompt is what both begin with, as TRL takes it."""
    if row.prompt is None or isinstance(row.prompt, UnsetType):
        shared = common_beginning(chosen, rejected)
        # As TRL does: a space before the first difference belongs to the answers.
        shared = shared[:-1] if shared.endswith(" ") else shared
        if not shared.strip():
            raise Rejected(Finding("no-user-turn", "$", "no `prompt`, and the answers share no beginning"))
        prompt, paths = [Message("user", shared)], ["$.chosen"]
        chosen, rejected = chosen[len(shared) :], rejected[len(shared) :]
    elif isinstance(row.prompt, str):
        prompt, paths = [Message("user", row.prompt)], ["$.prompt"]
    else:
        prompt, paths = list(row.prompt), prompt_paths(row.prompt)
    pair = make_pair([*prompt, Message("assistant", chosen)], rejected, row.id, row.tag)
    return Source(pair, [*paths, "$.chosen"], "$.rejected")


def common_beginning(one: str, two: str) -> str:
    """Return the characters that both texts begin with."""
    length = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return one[:length]


def convert_messages(row: Row, chosen: Sequence[Message], rejected: Sequence[Message]) -> Source:
    """Return a pair of conversations, which hold the prompt themselves if they begin with more than an answer."""
    for name, answer in (("$.chosen", chosen), ("$.rejected", rejected)):
        if answer[-1].role != "assistant":
            raise Rejected(Finding("no-final-answer", name))
    if chosen[:-1] != rejected[:-1]:
        raise Rejected(Finding("prompts-differ", "$.rejected"))
    prompt, paths = list(chosen[:-1]), [f"$.chosen[{number}].content" for number in range(len(chosen))]
    # Where both are given (ultrafeedback_binarized), the prompt repeats what the conversations hold.
    if not prompt and isinstance(row.prompt, str):
        prompt, paths = [Message("user", row.prompt)], ["$.prompt", *paths]
    elif not any(message.role == "user" for message in prompt) and isinstance(row.prompt, list):
        prompt, paths = [*row.prompt, *prompt], [*prompt_paths(row.prompt), *paths]
    pair = make_pair([*prompt, chosen[-1]], rejected[-1].content, row.id, row.tag)
    return Source(pair, paths, f"$.rejected[{len(rejected) - 1}].content")


def prompt_paths(prompt: Sequence[Message]) -> list[str]:
    """Return the path of each message of a prompt."""
    return [f"$.prompt[{number}].content" for number in range(len(prompt))]
