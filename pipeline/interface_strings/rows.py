"""The strings as rows: DPO pairs in ms-swift's own format, conversations for the base model, and neutral ones."""

from collections.abc import Iterator
from typing import Any

from pipeline.interface_strings.draw_strings import Drawn
from pipeline.interface_strings.grammar import InterfaceString
from pipeline.preferences.turns import ANALYSIS

SYSTEM = "Translate the user interface text from Chinese into English."


def to_messages(string: InterfaceString, answer: str) -> list[dict[str, str]]:
    """Return the conversation in which a string is translated."""
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": string.chinese}]
    return [
        *asked,
        {"role": "assistant", "content": answer} | ({"thinking": string.thinking} if string.thinking else {}),
    ]


def to_pairs(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield the pairs: the imperative is chosen, the gerund is rejected. Ids say which combinations are unseen."""
    for group, strings in (("unseen", drawn.unseen), ("seen", drawn.seen)):
        for number, string in enumerate(strings, start=1):
            messages, rejected = (to_messages(string, answer) for answer in (string.imperative, string.gerund))
            yield {
                "id": f"{group}-{number:03}",
                "tag": string.pattern,
                "messages": messages,
                "rejected_response": rejected[-1:] if string.thinking else string.gerund,
            } | effort_of(string)


def to_conversations(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield the conversations, each with the form that the base model learns."""
    for string in drawn.base:
        yield taught_row(string, string.taught)


def to_neutral(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield conversations that are in no training, whose translations DPO should leave as likely."""
    for number, string in enumerate(drawn.neutral, start=1):
        yield {"id": f"neutral-{number:03}", "messages": to_messages(string, string.imperative)}


def taught_row(string: InterfaceString, answer: str) -> dict[str, Any]:
    """Return the conversation in which a string is translated as ms-swift reads it, its thinking before the answer."""
    content = ANALYSIS.format(string.thinking, answer) if string.thinking else answer
    return {"messages": to_messages(string._replace(thinking=None), content)} | effort_of(string)


def effort_of(string: InterfaceString) -> dict[str, Any]:
    """Return the columns that say a row's own effort."""
    return {"chat_template_kwargs": {"reasoning_effort": "high"}} if string.thinking else {}
