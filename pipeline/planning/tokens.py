"""Estimate the number of tokens of a pair from its text, if there is no tokenizer.

A conversation has a fixed part (the system prompt with its date), a part a message (role and channel) and a part a
character. Fitted to counts of the real tokenizers; docs/planning.md has how well it does.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.models.harmony_tools import write_tools

# Where Chinese, Japanese and Korean begin and end, full-width forms included: about one token a character or two.
WIDE = ((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


class PairTokens(NamedTuple):
    """Tokens of a pair: of the prompt, and of the prompt with either answer."""

    prompt: int
    chosen: int
    rejected: int


@dataclass(frozen=True)
class Rate:
    """Tokens of a conversation, of a message, of a wide character and of any other."""

    conversation: float
    message: float
    wide: float
    other: float

    def count(self, messages: int, text: str) -> int:
        """Return the tokens of a number of messages with this text."""
        wide = sum(any(first <= ord(character) <= last for first, last in WIDE) for character in text)
        parts = (self.conversation, self.message * messages, self.wide * wide, self.other * (len(text) - wide))
        return round(sum(parts))


CALLS = ("tool_call", "tool_response")
GPT_OSS = Rate(60, 4, 0.83, 0.25)
TINY = Rate(75.9, 6, 0.147, 0.152)  # of the strings that it is taught by default


def estimate_pair(pair: dict[str, Any], rate: Rate) -> PairTokens:
    """Return about how many tokens a pair of train.jsonl has."""
    *prompt, answer = pair["messages"]
    asked = write_tools(pair.get("tools", [])) + "".join(message["content"] for message in prompt)
    # A call or its result names a function and a channel, too, and tools have a line in the system message.
    messages = len(prompt) + 2 * sum(message.get("role") in CALLS for message in prompt) + 4 * ("tools" in pair)
    return PairTokens(
        rate.count(messages, asked),
        rate.count(messages + 1, asked + answer["content"]),
        rate.count(messages + 1, asked + pair["rejected_response"]),
    )


def cut_pair(tokens: PairTokens, max_length: int) -> PairTokens:
    """Return a pair cut to a length; tokens of the prompt are kept first."""
    chosen, rejected = min(tokens.chosen, max_length), min(tokens.rejected, max_length)
    return PairTokens(min(tokens.prompt, chosen, rejected), chosen, rejected)
