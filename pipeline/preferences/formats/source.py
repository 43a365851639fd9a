"""The result of converting a row: the pair, and the paths in the row that its texts came from."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import UNSET, Meta, UnsetType

from pipeline.preferences.pair import Message, Pair
from pipeline.preferences.problems import Finding, Rejected

Id = Annotated[str, Meta(min_length=1)] | int | float | UnsetType | None
Tag = Annotated[str, Meta(min_length=1)] | UnsetType | None


RawText = Annotated[str, Meta(pattern=r"\S")]


class RawMessage(Message, gc=False, forbid_unknown_fields=True):
    """One turn of a conversation, as schemas/pair.schema.json allows it."""

    content: RawText


class Source(NamedTuple):
    """A pair, and the path in the row of each of its messages and of the rejected answer."""

    pair: Pair
    message_paths: list[str]
    rejected_path: str


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
