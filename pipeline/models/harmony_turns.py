"""Turns with tools as ms-swift's template takes them: what lies between a question and its answer ends the question."""

import json

from pipeline.models.channels import CHANNEL, PREAMBLE
from pipeline.models.harmony_tools import write_call, write_response

Messages = list[dict[str, str]]

END = "<|end|>"
ANSWER = "<|start|>assistant"


def fold_tools(messages: Messages) -> Messages:
    """Return messages of users and assistants in turn.

    Calls, their results, and what an assistant says before it calls are text at the end of the user's message, in
    harmony's tokens. Results answer the calls before them in their order.
    """
    folded: Messages = []
    calls: list[str] = []
    for number, message in enumerate(messages):
        following = messages[number + 1]["role"] if number + 1 < len(messages) else ""
        role, content = message["role"], message["content"]
        if role == "tool_call":
            calls.append(json.loads(content)["name"])
            add_text(folded, ANSWER + write_call(content))
        elif role in ("tool", "tool_response"):
            add_text(folded, write_response(calls.pop(0), content))
        elif role == "assistant" and following == "tool_call":
            add_text(folded, ANSWER + (content if content.startswith(CHANNEL) else PREAMBLE + content) + END)
        else:
            folded.append(dict(message))
    # The template ends a question itself.
    return [m | {"content": m["content"].removesuffix(END)} if m["role"] == "user" else m for m in folded]


def add_text(messages: Messages, text: str) -> None:
    """Add a text to the end of the last message, behind the token that ends that."""
    before = messages[-1]["content"]
    messages[-1]["content"] = (before if before.endswith((END, "<|call|>")) else before + END) + text
