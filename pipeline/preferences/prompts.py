"""Read prompts that have no reference answer: JSON Lines, or a text file with a prompt a line."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.preferences.checks import explain_text
from pipeline.preferences.chunk import Place
from pipeline.preferences.columns import ROLES
from pipeline.preferences.explain_row import parse_strictly
from pipeline.preferences.problems import PROBLEMS
from pipeline.preferences.rejects import describe_finding

Messages = list[dict[str, str]]

KEYS = ("id", "tag", "system", "prompt", "messages")
WRITE = 'write {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}'


class Refused(Exception):
    """What is wrong with a row, and the fix."""


def read_prompts(path: Path, system: str | None) -> Iterator[dict[str, Any]]:
    """Yield the prompts of a file: id, messages, and the tag if there is one; stop with one line at the first fault.

    `system` is the system message of prompts that have none.
    """
    lines_of: dict[str, int] = {}
    number = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = read_row(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, path.suffix == ".txt")
                prompt = to_prompt(row, number, system)
                if (first := lines_of.setdefault(prompt["id"], number)) != number:
                    raise Refused(f"the id {prompt['id']!r} is also that of line {first}; give each prompt its own")
            except Refused as fault:
                sys.exit(f"{Place(str(path), number, None)}: {fault}")
            yield prompt
    if not number:
        sys.exit(f"{path}: no prompts; {WRITE} on each line, or in a .txt file the text alone")


def read_row(line: bytes, is_text: bool) -> dict[str, Any]:
    """Return a line as an object; a line of text is its prompt."""
    if is_text:
        try:
            return {"prompt": line.decode().rstrip("\r\n")}
        except UnicodeDecodeError:
            raise Refused(f"not UTF-8; {PROBLEMS['not-utf8'].fix}") from None
    row, finding = parse_strictly(line)
    if finding:
        said = describe_finding(finding)
        raise Refused(f"{said['problem']}; {said['fix']} ({finding.code})")
    if not isinstance(row, dict):
        raise Refused(f"not an object; {WRITE}")
    # Tables and other programs fill up rows with null and empty values.
    return {key: value for key, value in row.items() if value not in (None, [], {})}


def to_prompt(row: dict[str, Any], line: int, system: str | None) -> dict[str, Any]:
    """Return a row as a prompt; one without an id is named after its line."""
    for key in row:
        if key not in KEYS:
            raise Refused(f"the key {key!r} has no meaning in a prompt; a prompt has {', '.join(KEYS)}: take it out")
    name = row.get("id", f"row-{line}")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise Refused("id is neither text nor a whole number; write one of them, or leave it out")
    if not isinstance(row.get("tag", ""), str):
        raise Refused("tag is not text; write text, or leave it out")
    messages = find_messages(row)
    check_roles(messages)
    check_texts(messages)
    if system and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": system}, *messages]
    return {"id": str(name)} | ({"tag": row["tag"]} if row.get("tag") else {}) | {"messages": messages}


def find_messages(row: dict[str, Any]) -> Messages:
    """Return the turns of a row, the system message first."""
    if ("prompt" in row) == ("messages" in row):
        raise Refused(f"{'both' if 'prompt' in row else 'neither'} of prompt and messages; {WRITE}")
    turns = row.get("messages", row.get("prompt"))
    if isinstance(turns, str) and "prompt" in row:
        turns = [{"role": "user", "content": turns}]
    if not isinstance(turns, list):
        raise Refused(f"no text and no list of messages; {WRITE}")
    messages = [to_message(turn, number) for number, turn in enumerate(turns, 1)]
    if "system" not in row:
        return messages
    if messages[0]["role"] == "system":
        raise Refused("a system message stands both in system and in the messages; keep one of them")
    return [{"role": "system", "content": row["system"]}, *messages]


def to_message(turn: Any, number: int) -> dict[str, str]:
    """Return a turn with its role and its text alone; a null value says nothing."""
    message = {key: value for key, value in turn.items() if value is not None} if isinstance(turn, dict) else {}
    if set(message) != {"role", "content"} or not isinstance(message["content"], str):
        raise Refused(f"message {number} is not a role and a text as content, and nothing else; {WRITE}")
    return message


def check_roles(messages: Messages) -> None:
    """Refuse turns that do not end with a question."""
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    for number, turn in enumerate(turns):
        if turn["role"] != (asked := ("user", "assistant")[number % 2]):
            raise Refused(f"turn {number + 1} is of the role {turn['role']!r} in place of {asked!r}; put them in order")
    if len(turns) % 2 == 0:
        fix = "take it out; pairs with answers to compare with go into data.val" if turns else "add the user message"
        raise Refused(f"the last message is {messages[-1]['role']!r}; {fix}")


def check_texts(messages: Messages) -> None:
    """Refuse a text that no message of a training pair may have either."""
    for number, turn in enumerate(messages):
        if not isinstance(turn["content"], str):
            raise Refused("system is not text; write text, or leave it out")
        if said := explain_text(turn["content"], ROLES[turn["role"]]):
            raise Refused(f"message {number + 1}: {said}")
