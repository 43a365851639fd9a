"""TRL and Hugging Face: `prompt`, `chosen` and `rejected`, as text or as messages; the prompt may be implicit.

Source: TRL, docs/source/dataset_formats.md (Preference).
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct, UnsetType

from pipeline.preferences.checks import BLANK, squeeze
from pipeline.preferences.formats.source import (
    SPEAKER,
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
    prompt_of_text,
)
from pipeline.preferences.pair import Message, Role
from pipeline.preferences.problems import Finding, Rejected

ROLES: tuple[Role, Role] = ("user", "assistant")
# Words of a prompt that was written from a conversation: who speaks, in the templates of several models.
SPEAKERS = frozenset(
    {
        *("system", "user", "human", "prompter", "assistant", "ai", "gpt", "bot", "model"),
        *("bos", "eos", "s", "sys", "inst", "im_start", "im_end", "start_of_turn", "end_of_turn"),
        *("start_header_id", "end_header_id", "eot_id"),
    }
)


class Row(Struct, gc=False):
    """A row: both answers as text, or both as messages, which may hold the prompt, too."""

    chosen: Answer
    rejected: Answer
    prompt: Answer | UnsetType | None = UNSET
    messages: Messages | UnsetType | None = UNSET  # the prompt, or the chosen conversation once more
    system: OptionalText = UNSET
    history: list[tuple[str, str]] | UnsetType | None = UNSET
    score_chosen: Score = UNSET
    score_rejected: Score = UNSET
    margin: Score = UNSET
    id: Id = UNSET
    tag: Tag = UNSET

    def __post_init__(self) -> None:
        if isinstance(self.chosen, str) != isinstance(self.rejected, str):
            raise ValueError("chosen and rejected must be both text or both messages")
        if any(isinstance(text, str) and not text.strip() for text in (self.chosen, self.rejected, self.prompt)):
            raise ValueError(BLANK)


class Prompt:
    """The messages before the answers, and the path in the row of each."""

    def __init__(self, messages: Sequence[Message], paths: Sequence[str]) -> None:
        self.messages = list(messages)
        self.paths = list(paths)

    @property
    def asks(self) -> bool:
        """Whether a user speaks in it."""
        return any(message.role == "user" for message in self.messages)

    @property
    def turns(self) -> list[Message]:
        """The messages without a system message."""
        return [message for message in self.messages if message.role != "system"]


def recognise(row: Mapping[str, object]) -> bool:
    return "chosen" in row and "rejected" in row


def convert(row: Row, min_margin: float) -> Source:
    """Return the row as a pair."""
    check_scores(row.score_chosen, row.score_rejected, row.margin, min_margin)
    given = read_prompt(row)
    if isinstance(row.chosen, str) and isinstance(row.rejected, str):
        source = convert_text(row, given, row.chosen, row.rejected)
    else:
        assert not isinstance(row.chosen, str) and not isinstance(row.rejected, str)
        source = convert_messages(row, given, row.chosen, row.rejected)
    return begin_with(row.system, source)


def read_prompt(row: Row) -> Prompt | None:
    """Return the prompt that the row names, None where it names none."""
    earlier = [Message(role, text) for turn in row.history or [] for role, text in zip(ROLES, turn, strict=True)]
    paths = [f"$.history[{number // 2}][{number % 2}]" for number in range(len(earlier))]
    if isinstance(row.prompt, str):
        messages = prompt_of_text(row.prompt, "$.prompt")
        given = Prompt([*earlier, *messages], [*paths, *["$.prompt"] * len(messages)])
    elif isinstance(row.prompt, list):
        given = Prompt([*earlier, *row.prompt], [*paths, *message_paths("$.prompt", row.prompt)])
    elif earlier:
        raise Rejected(Finding("no-user-turn", "$", "history without a prompt"))
    else:
        return read_messages(row, row.messages) if row.messages else None
    return join_prompts(given, read_messages(row, row.messages), row.prompt) if row.messages else given


def read_messages(row: Row, messages: Sequence[Message]) -> Prompt:
    """Return the prompt in `messages`, which may end with the chosen answer once more."""
    turns = list(messages)
    if turns[-1].role == "assistant":
        answer = row.chosen if isinstance(row.chosen, str) else row.chosen[-1].content
        if turns.pop().content != answer:
            raise Rejected(Finding("ambiguous-key", "$.messages", "messages ends with another answer than chosen"))
    return Prompt(turns, message_paths("$.messages", turns))


def is_written_from(text: str, messages: Sequence[Message]) -> bool:
    """Say whether a text holds what the user says first in a conversation, and beside its messages only speakers."""
    if next(message.content.strip() for message in messages if message.role == "user") not in text:
        return False
    said = [message.content.strip() for message in messages]
    short = {content.lower() for content in said if any(content.lower() in speaker for speaker in SPEAKERS)}
    for content in said:
        if content.lower() not in short:  # "A" would be found in "Assistant"
            text = text.replace(content, " ", 1)
    return (SPEAKERS | short).issuperset(re.findall(r"\w+", text.lower()))


def message_paths(path: str, messages: Sequence[Message]) -> list[str]:
    """Return the path of each message of a list."""
    return [f"{path}[{number}].content" for number in range(len(messages))]


# Plain answers


def convert_text(row: Row, given: Prompt | None, chosen: str, rejected: str) -> Source:
    """Return a pair of plain answers. An implicit prompt is what both begin with, as TRL takes it."""
    if given is None:
        shared = common_beginning(chosen, rejected)
        # As TRL does: a space before the first difference belongs to the answers.
        shared = shared[:-1] if shared.endswith(" ") else shared
        if not shared.strip():
            raise Rejected(Finding("no-user-turn", "$", "no `prompt`, and the answers share no beginning"))
        given = Prompt([Message("user", shared)], ["$.chosen"])
        chosen, rejected = chosen[len(shared) :], rejected[len(shared) :]
    elif isinstance(row.prompt, str) and SPEAKER.match(row.prompt):  # a space follows `Assistant:`
        chosen, rejected = chosen.strip(), rejected.strip()
    pair = make_pair([*given.messages, Message("assistant", chosen)], rejected, row.id, row.tag)
    return Source(pair, [*given.paths, "$.chosen"], "$.rejected")


def common_beginning(one: str, two: str) -> str:
    """Return the characters that both texts begin with."""
    length = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return one[:length]


# Answers as messages


def convert_messages(row: Row, given: Prompt | None, chosen: Sequence[Message], rejected: Sequence[Message]) -> Source:
    """Return a pair of conversations, which hold the prompt themselves if they begin with more than an answer."""
    for name, answer in (("$.chosen", chosen), ("$.rejected", rejected)):
        if answer[-1].role != "assistant":
            raise Rejected(Finding("no-final-answer", name))
    if chosen[:-1] != rejected[:-1]:
        raise Rejected(Finding("prompts-differ", "$.rejected"))
    held = Prompt(chosen[:-1], message_paths("$.chosen", chosen[:-1]))
    prompt = join_prompts(given, held, row.prompt) if given else held
    paths = [*prompt.paths, f"$.chosen[{len(chosen) - 1}].content"]
    pair = make_pair([*prompt.messages, chosen[-1]], rejected[-1].content, row.id, row.tag)
    return Source(pair, paths, f"$.rejected[{len(rejected) - 1}].content")


def join_prompts(given: Prompt, held: Prompt, raw: object) -> Prompt:
    """Return the prompt of a row that names one beside the one that its conversations hold.

    Both are the same (ultrafeedback_binarized), or one has the system message alone. A text may be the first or the
    last thing that the user says, or be written from the conversation. Rejected: any other.
    """
    if not held.asks:
        return Prompt([*given.messages, *held.messages], [*given.paths, *held.paths])
    said = [message.content.strip() for message in held.messages if message.role == "user"]
    if isinstance(raw, str) and (raw.strip() in (said[0], said[-1]) or is_written_from(raw, held.messages)):
        return held
    if given.turns != held.turns:
        raise Rejected(Finding("prompts-differ", "$.prompt", "the prompt is not the one in chosen"))
    systems = {message.content for prompt in (given, held) for message in prompt.messages if message.role == "system"}
    if len(systems) > 1:
        raise Rejected(Finding("systems-differ", "$.prompt"))
    return max((held, given), key=lambda prompt: len(prompt.messages))


def is_same_prompt(text: str, turns: Sequence[Message]) -> bool:
    """Say whether a text is the user's first or last message, or the first turns as `role: text`, spaces aside."""
    said = [turn.content.strip() for turn in turns if turn.role == "user"]
    if text.strip() in (said[0], said[-1]):
        return True
    written, first = squeeze("".join(f"{turn.role}:{turn.content}" for turn in turns)), squeeze(f"user:{said[0]}")
    return squeeze(text).startswith(first) and written.startswith(squeeze(text))
