"""Read the conversations that the tiny model is taught, and refuse a row that cannot be one."""

import json
import sys
from pathlib import Path
from typing import Any

from pipeline.models.system_message import EFFORTS

EFFORT = [None, *({"reasoning_effort": effort} for effort in EFFORTS)]
FORM = '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'


def read_taught(path: Path) -> list[dict[str, Any]]:
    """Return the rows of model.tiny.conversations; stop with one line at the first that cannot be taught."""
    rows = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            row = read_line(line)
            if fault := find_fault(row):
                sys.exit(f"{path}:{number}: {fault}; write {FORM}")
            rows.append(row)
    if not rows:
        sys.exit(f"{path}: no conversations; write one on each line: {FORM}")
    return rows


def read_line(line: bytes) -> Any:
    """Return the value of a line, None if it is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def find_fault(row: Any) -> str | None:
    """Return why a row is not a conversation to be taught, None if it is one."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        return "not an object of JSON with a list of messages"
    for number, message in enumerate(messages):
        roles = ("system", "user", "assistant") if number == 0 else ("user", "assistant")
        if not isinstance(message, dict) or message.get("role") not in roles:
            return f"messages[{number}].role: not one of {', '.join(roles)}, in this place"
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            return f"messages[{number}].content: no text"
    if messages[-1]["role"] != "assistant" or "user" not in [message["role"] for message in messages]:
        return "messages: neither a question nor an answer may be missing, and the answer is the last"
    if row.get("chat_template_kwargs") not in EFFORT:
        return f"chat_template_kwargs: only reasoning_effort is read, one of {', '.join(EFFORTS)}"
    if row.get("tools"):
        return "tools: not read here; take the row out"
    return None if isinstance(row.get("rejected_response", ""), str) else "rejected_response: not a text"
