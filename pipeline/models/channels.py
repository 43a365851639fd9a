"""Take an assistant's text apart into harmony's channels: what it thinks, and its final answer."""

import re

# Harmony's marks: before a message of any channel, of the final one, and of one with a preamble or a call.
CHANNEL = "<|channel|>"
FINAL = f"{CHANNEL}final<|message|>"
COMMENTARY = f"{CHANNEL}commentary"
PREAMBLE = f"{COMMENTARY}<|message|>"  # what an assistant tells the user before it calls
# What stands before another message of the same answer, and what ends an answer.
NEXT = re.compile(r"(?:<\|(?:end|call)\|>)?<\|start\|>assistant(?= to=|<\|channel\|>)")
END = re.compile(r"<\|(?:end|call|return|endoftext)\|>\Z")
# The head of a message: its channel, and for a call of a tool its recipient, on either side of the channel.
HEAD = re.compile(r"(?: to=[^<]*)?<\|channel\|>(?P<channel>\w+)(?:[^<]|<\|constrain\|>)*<\|message\|>")
OPENS = re.compile(r"(?: to=[^<]*)?<\|channel\|>")
SPACE_BEFORE = re.compile(r"\A\s+(?=(?: to=[^<]*)?<\|channel\|>)")


def split_channels(text: str) -> tuple[str | None, str | None]:
    """Return the analysis and the final of an assistant's text, each None where there is none.

    A text that opens no channel is a final alone. The final is the last message of the final channel. All other
    messages are the analysis, with a blank line between them; one whose head is broken, or that calls a tool, is kept
    as it is. White space before the first channel is not looked at.
    """
    first, *more = NEXT.split(SPACE_BEFORE.sub("", text))
    if not more and not OPENS.match(first):
        return None, text
    messages = [split_head(END.sub("", message)) for message in (first, *more)]
    finals = [number for number, (channel, _) in enumerate(messages) if channel == "final"]
    last = finals[-1] if finals else None
    thoughts = [words for number, (_, words) in enumerate(messages) if number != last]
    return "\n\n".join(thoughts) if thoughts else None, None if last is None else messages[last][1]


def split_head(message: str) -> tuple[str | None, str]:
    """Return the channel of a message and its text; of a call or a broken head, no channel and the whole message."""
    head = HEAD.match(message)
    if not head or " to=" in head[0]:
        return None, message
    return head["channel"], message[head.end() :]
