"""A preference pair, as pairs.jsonl holds it and schemas/pair.schema.json describes it."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Encoder

Text = Annotated[str, Meta(min_length=1)]
Effort = Literal["low", "medium", "high"]
Role = Literal["system", "user", "assistant", "tool_call", "tool_response"]


class Message(Struct, gc=False, forbid_unknown_fields=True):
    """One turn of a conversation. The content of a call is JSON, its name and arguments; a result may be empty."""

    role: Role
    content: str


class TemplateSettings(Struct, gc=False, forbid_unknown_fields=True):
    """What a row says of its prompt, under ms-swift's name of it."""

    reasoning_effort: Effort


# A type that no value has.
Nothing = Annotated[int, Meta(gt=0, lt=1)]


class Pair(Struct, gc=False, kw_only=True, omit_defaults=True):
    """A conversation that ends with the chosen answer, and the answer that loses against it.

    `id` is set for every pair of pairs.jsonl; fields are written in this order. Empty messages and white space
    alone pass here, and are found by a check that is faster for many texts at once.
    """

    id: Annotated[str, Meta(min_length=1)] | int | UnsetType = UNSET
    tag: Text | UnsetType = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET  # as OpenAI lists functions
    chat_template_kwargs: TemplateSettings | UnsetType = UNSET
    messages: Annotated[list[Message], Meta(min_length=1)]
    rejected_response: Text
    # Rows that have it are read by formats/swift.py.
    rejected_messages: Nothing | UnsetType = UNSET

    @property
    def chosen(self) -> str:
        """The answer that wins."""
        return self.messages[-1].content


encode_lines = Encoder().encode_lines
