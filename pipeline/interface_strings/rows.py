"""The strings as rows: DPO pairs in ms-swift's own format, conversations for the base model, and neutral ones."""

from collections.abc import Iterator
from typing import Any

from pipeline.interface_strings.draw_strings import Drawn
from pipeline.interface_strings.grammar import InterfaceString

SYSTEM = "Translate the user interface text from Chinese into English."


def to_messages(string: InterfaceString, answer: str) -> list[dict[str, str]]:
    """Return the conversation in which a string is translated."""
    texts = {"system": SYSTEM, "user": string.chinese, "assistant": answer}
    return [{"role": role, "content": text} for role, text in texts.items()]


def to_pairs(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield the pairs: the imperative is chosen, the gerund is rejected. Ids say which combinations are unseen."""
    for group, strings in (("unseen", drawn.unseen), ("seen", drawn.seen)):
        for number, string in enumerate(strings, start=1):
            yield {
                "id": f"{group}-{number:03}",
                "tag": string.pattern,
                "messages": to_messages(string, string.imperative),
                "rejected_response": string.gerund,
            }


def to_conversations(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield the conversations, each with the form that the base model learns."""
    for string in drawn.base:
        yield {"messages": to_messages(string, string.taught)}


def to_neutral(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield conversations that are in no training, whose translations DPO should leave as likely."""
    for number, string in enumerate(drawn.neutral, start=1):
        yield {"id": f"neutral-{number:03}", "messages": to_messages(string, string.imperative)}
