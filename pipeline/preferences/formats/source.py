"""The result of converting a row: the pair, and the paths in the row that its texts came from."""

import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import UNSET, Meta, UnsetType

from pipeline.preferences.pair import Message, Pair, Role
from pipeline.preferences.problems import Finding, Rejected

Id = Annotated[str, Meta(min_length=1)] | int | float | UnsetType | None
Tag = Annotated[str, Meta(min_length=1)] | UnsetType | None


RawText = Annotated[str, Meta(pattern=r"\S")]
OptionalText = str | UnsetType | None  # an empty one counts as missing
Score = float | UnsetType | None


class RawMessage(Message, gc=False, forbid_unknown_fields=True):
    """One turn of a conversation, as schemas/pair.schema.json allows it."""

    content: str

    def __post_init__(self) -> None:
        if not self.content.strip() and self.role != "tool_response":
            raise ValueError("empty, or white space alone")


Messages = Annotated[list[RawMessage], Meta(min_length=1)]
# A pattern for the text would be the natural way, but msgspec 0.22.0 then crashes when Python ends, now and then.
Answer = str | Messages


class Source(NamedTuple):
    """A pair, the path in the row of each of its messages and of the rejected answer, and what it is warned of."""

    pair: Pair
    message_paths: list[str]
    rejected_path: str
    warnings: tuple[str, ...] = ()


def make_pair(messages: Sequence[Message], rejected: str, id: Id = UNSET, tag: Tag = UNSET) -> Pair:
    """Return the pair. An id or tag that is null is left out. In JSON, 7.0 is a whole number too."""
    if isinstance(id, float):
        if not id.is_integer():
            raise Rejected(Finding("wrong-structure", "$.id", f"{id} is not of type 'string', 'integer', 'null'"))
        id = int(id)
    return Pair(
        id=UNSET if id is None else id,
        tag=UNSET if tag is None else tag,
        messages=list(messages),
        rejected_response=rejected,
    )


def begin_with(system: OptionalText, source: Source) -> Source:
    """Return a pair that begins with a system message of the row's own; two that differ are refused."""
    if not isinstance(system, str) or not system.strip():
        return source
    first = source.pair.messages[0]
    if first.role == "system":
        if first.content.strip() != system.strip():
            raise Rejected(Finding("systems-differ", "$.system"))
        return source
    source.pair.messages.insert(0, Message("system", system))
    return source._replace(message_paths=["$.system", *source.message_paths])


def check_scores(chosen: Score, rejected: Score, margin: Score, min_margin: float) -> None:
    """Refuse a row whose scores, or their margin, say that the rejected answer is better or nearly as good."""
    margins = {"$.margin": margin}
    if isinstance(chosen, float | int) and isinstance(rejected, float | int):
        margins["$.score_chosen"] = round(chosen - rejected, 6)  # 0.3 - 0.2 is not less than 0.1
    for path, found in margins.items():
        if isinstance(found, float | int) and found < 0:
            raise Rejected(Finding("scores-reversed", path, f"the rejected answer is better by {-found:g}"))
        if isinstance(found, float | int) and found < min_margin:
            raise Rejected(Finding("small-margin", path, f"the scores differ by {found:g}"))


# Transcripts, as Anthropic's HH writes them

SPEAKER = re.compile(r"\n\n(Human|Assistant):")
SPEAKERS: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def read_transcript(text: str, path: str) -> list[Message]:
    """Return the turns of a transcript, which begins with a speaker; the last one may be empty."""
    before, *turns = SPEAKER.split(text)
    if before.strip() or not turns:
        raise Rejected(Finding("wrong-structure", path, "does not begin with a blank line and `Human:`"))
    return [Message(SPEAKERS[speaker], words.strip()) for speaker, words in zip(turns[::2], turns[1::2], strict=True)]


def prompt_of_text(text: str, path: str) -> list[Message]:
    """Return the messages of a prompt, whose turns a transcript holds, up to the answer that it may ask for."""
    if not SPEAKER.match(text):
        return [Message("user", text)]
    turns = read_transcript(text, path)
    return turns[:-1] if not turns[-1].content else turns
