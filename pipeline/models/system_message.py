"""The messages that harmony has before a conversation: the system message, and the developer's.

Source: openai-harmony (SystemContent, DeveloperContent); tests/models/test_harmony.py compares the tokens.
"""

from collections.abc import Mapping
from typing import Any

EFFORTS = ("low", "medium", "high")
INSTRUCTIONS = "# Instructions\n\n"  # before the system message of a row, which harmony gives to the developer
TOOLS = "\nCalls to these tools must go to the commentary channel: 'functions'."


def prompt_settings(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a row that go into its prompt beside the messages: its tools, and its reasoning effort."""
    return {key: row[key] for key in ("tools", "chat_template_kwargs") if key in row}


def write_system(date: str, effort: str, tools: bool = False) -> str:
    """Return the text of the system message, with one of EFFORTS; `tools`: there are functions to call."""
    return (
        "You are ChatGPT, a large language model trained by OpenAI.\n"
        f"Knowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: {effort}\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message."
        f"{TOOLS if tools else ''}"
    )


def write_developer(instructions: str | None, tools: str) -> str:
    """Return the text of the developer's message from a row's system message and the section of its tools.

    It is empty where both are.
    """
    return "\n\n".join(filter(None, [instructions and INSTRUCTIONS + instructions, tools]))


def write_before(date: str, effort: str, instructions: str | None = None, tools: str = "") -> str:
    """Return all that comes before the first turn, with harmony's tokens; `tools` is the section of the tools."""
    developer = write_developer(instructions, tools)
    before = f"<|start|>system<|message|>{write_system(date, effort, bool(tools))}<|end|>"
    return before + (f"<|start|>developer<|message|>{developer}<|end|>" if developer else "")
