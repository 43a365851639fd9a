"""Read the user's own conversations for supervised fine-tuning, and refuse those that cannot be trained on."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.preferences.checks import explain_text
from pipeline.preferences.columns import PLAIN_ROLES
from pipeline.preferences.fold_prompt import fold_prompt
from pipeline.preferences.turns import ANALYSIS, THINKING

Messages = list[dict[str, str]]


def prompt_key(messages: Messages) -> str:
    """Return the prompt as a key: prompts that the split treats as the same have the same key."""
    return json.dumps(fold_prompt(messages), ensure_ascii=False)


def find_fault(row: Any, held_out: set[str]) -> str | None:
    """Return why a row cannot be trained on, with the fix; None if it can."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        return 'no list "messages"; write {"messages": [{"role": "user", "content": …}, …]}'
    if found := [key for key in ("tools", "reasoning_effort", "chat_template_kwargs") if row.get(key)]:
        return f"{found[0]} is read in pairs alone; take the key out, or the row"
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in PLAIN_ROLES:
            return f"messages[{number}] has no role of {', '.join(PLAIN_ROLES)}; give it one"
        if found := [key for key in THINKING if message.get(key)]:
            analysis = ANALYSIS.format("…", "…")
            return f"messages[{number}].{found[0]} is read in pairs alone; write {analysis} as its content"
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            return f"messages[{number}] has no text in content; fill it, or take the row out"
        if said := explain_text(message["content"], PLAIN_ROLES[message["role"]]):
            return f"messages[{number}].content: {said}"
    if messages[-1]["role"] != "assistant":
        return "the last message is not the assistant's; add the answer to learn"
    if prompt_key(messages) in held_out:
        return "this prompt is held out for validation; take the row out"
    return None


def read_conversations(path: Path, held_out: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of conversations; stop with one line at the first that cannot be trained on."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                sys.exit(f"{path}:{number}: {error}; write one JSON object on each line")
            if fault := find_fault(row, held_out):
                sys.exit(f"{path}:{number}: {fault}")
            yield {"messages": row["messages"]}
