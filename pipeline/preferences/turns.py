"""Write conversations of every kind as messages of a role and a text.

Sources: openai-harmony (roles, channels), LLaMA-Factory data/README.md (from and value), OpenAI's content parts.
"""

import re
from itertools import pairwise
from typing import Any

from pipeline.preferences import tool_turns
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.row_keys import Unread, is_empty, is_harmless, matches, name_key
from pipeline.preferences.strict_json import read_json

ROLES = {
    "system": "system",
    "developer": "developer",  # until join_instructions
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    **tool_turns.ROLES,
}
INSTRUCTIONS = ["developer", "system"]
HEADING = re.compile(r"\A\s*# Instructions[ \t]*\r?\n\s*")  # which harmony writes above a developer's text
NAMES = {"from": "role", "value": "content", "text": "content"}
ANALYSIS = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}"
PLACE = re.compile(r"\[\d+\]")
# How Python, or numpy, prints a conversation.
PRINTED = re.compile(r"\s*(array\()?\[?\s*\{'(role|content|from|value)': ")
TEXT_PARTS = ("text", "input_text", "output_text")
THINKING = ("thinking", "reasoning_content", "reasoning")
CONVERSATIONS = (
    "messages",
    "rejected_messages",
    "prompt",
    "chosen",
    "rejected",
    "rejected_response",
    "a",
    "b",
    "answer",
)

Origins = dict[str, list[int]]  # of each message of a conversation, the position among those of the raw row


def plain_turns(row: dict[str, Any], ignore: frozenset[str], unread: Unread, origins: Origins) -> dict[str, Any]:
    """Return a row whose conversations and messages have keys, roles and texts as in schemas/pair.schema.json.

    Other values stay as they are. Keys of messages that are not read are counted, as `messages[].name`. `origins` is
    filled, by key. Rejected: a key or a role whose meaning would be lost.
    """
    system = row.get("system")
    own = system if isinstance(system, str) and system.strip() else ""
    read, is_joined = {}, False
    for key, value in row.items():
        read[key] = value
        if key in CONVERSATIONS:
            turns, origins[key] = read_turns(value, f"$.{key}", ignore, unread)
            read[key], joined = join_instructions(turns, origins[key], own)
            is_joined |= joined
    return read | {"system": None} if is_joined else read


def join_instructions(turns: Any, origins: list[int], own: str = "") -> tuple[Any, bool]:
    """Return messages whose first one holds the texts of system and developer, and whether `own` is in it.

    `own` is the system message that stands beside them in the row. The developer's text follows after a blank line.
    """
    if not is_conversation(turns):
        return turns, False
    said = [(turn["role"], turn["content"]) for turn in turns[:2]]
    texts = {role: text for role, text in said if role in INSTRUCTIONS and isinstance(text, str)}
    asked = bool(own) and turns[0]["role"] == "developer" and texts.get("system", own) == own
    if sorted(texts) == INSTRUCTIONS:
        del origins[0]
        parts = [texts["system"], texts["developer"]]
        joined = "\n\n".join(parts) if all(part.strip() for part in parts) else ""  # which is refused as blank
        turns = [{"role": "system", "content": joined}, *turns[2:]]
        return turns, bool(own) and own == texts["system"]
    if asked and texts.get("developer", "").strip() and own != texts["developer"]:
        return [{"role": "system", "content": f"{own}\n\n{texts['developer']}"}, *turns[1:]], True
    return [turn | {"role": "system"} if turn["role"] == "developer" else turn for turn in turns], False


def read_turns(value: Any, path: str, ignore: frozenset[str], unread: Unread) -> tuple[Any, list[int]]:
    """Return the messages of a value, which may be one message or JSON text, and the position of each there.

    Any other value is returned as it is. Rejected: a conversation that ends in a call.
    """
    value = unpack_turns(value)
    if isinstance(value, str) and PRINTED.match(value):
        said = "a conversation as Python prints it, with single quotes"
        raise Rejected(Finding("serialised-conversation", path, said))
    if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
        if len(value) > 1:
            raise Rejected(Finding("wrong-structure", path, f"{len(value)} texts: write a row for each"))
        return value[0], []
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        return value, []
    read = [read_turn(turn, f"{path}[{number}]", ignore, unread) for number, turn in enumerate(value)]
    placed = [(message, number) for number, messages in enumerate(read) for message in messages]
    silent = {number for number, (one, then) in enumerate(pairwise(placed)) if is_silent(one[0], then[0])}
    placed = [each for number, each in enumerate(placed) if number not in silent]
    turns = [message for message, _ in placed]
    if turns and turns[-1]["role"] == "tool_call":
        raise Rejected(Finding("answer-is-call", f"{path}[{len(value) - 1}]"))
    return tool_turns.order_results(turns, path), [number for _, number in placed]


def is_silent(turn: dict[str, Any], following: dict[str, Any]) -> bool:
    """Say whether an assistant says nothing before it calls."""
    content = turn["content"]
    says_nothing = is_empty(content) or (isinstance(content, str) and content.isspace())
    return says_nothing and (turn["role"], following["role"]) == ("assistant", "tool_call")


def unpack_turns(value: Any) -> Any:
    """Return the messages that a value holds as JSON text, or as one message; any other value as it is."""
    parsed = read_json(value)
    turns = [parsed] if is_turn(parsed) else parsed
    return turns if is_conversation(turns) else value


def is_turn(value: Any) -> bool:
    """Say whether a value is a message."""
    return isinstance(value, dict) and ("role" in value or "from" in value)


def is_conversation(value: Any) -> bool:
    """Say whether a value is a list of messages."""
    return isinstance(value, list) and bool(value) and all(map(is_turn, value))


def read_turn(turn: dict[str, Any], path: str, ignore: frozenset[str], unread: Unread) -> list[dict[str, Any]]:
    """Return one message with a role and a text, its thinking as harmony's analysis channel, and the calls it makes."""
    named = name_parts(turn, path, ignore, unread)
    role, content = named.pop("role", None), named.pop("content", None)
    if role == "tool_call":
        account_for_rest(named, path, ignore, unread)
        return tool_turns.read_calls(content, f"{path}.content", unread)
    content = read_text(content, path, ignore, unread)
    if role == "developer" and isinstance(content, str):
        content = HEADING.sub("", content)
    if role == "tool_response" and content in (None, []):  # a function may return nothing
        content = ""
    answered = tool_turns.take_answered(named, path) if role == "tool_response" else {}
    thinking = read_thinking(named, path, ignore) if role == "assistant" else None
    require_final(named, path, ignore)
    calls = tool_turns.take_calls(named, path, ignore, unread) if role == "assistant" else []
    account_for_rest(named, path, ignore, unread)
    if thinking and (isinstance(content, str) or is_empty(content)):
        content = ANALYSIS.format(thinking, content or "")
    return [{"role": role, "content": content} | answered, *calls]


def name_parts(turn: dict[str, Any], path: str, ignore: frozenset[str], unread: Unread) -> dict[str, Any]:
    """Return a message with `role` and `content` in place of other names."""
    named = {NAMES.get(key, key): value for key, value in turn.items()}
    if len(named) < len(turn):
        named = join_parts(turn, path, ignore, unread)
    role = named.get("role")
    return named | {"role": ROLES.get(role, role)} if isinstance(role, str) else named


def join_parts(turn: dict[str, Any], path: str, ignore: frozenset[str], unread: Unread) -> dict[str, Any]:
    """Return a message in which a part has two names as one that has one. Rejected: two values that differ."""
    named: dict[str, Any] = {}
    theirs: dict[str, str] = {}
    parts = [NAMES.get(key, key) for key in turn]
    for ours, (key, value) in zip(parts, turn.items(), strict=True):
        value = ROLES.get(value, value) if ours == "role" and isinstance(value, str) else value
        if parts.count(ours) > 1 and matches(key, ignore):
            account_for_rest({key: value}, path, ignore, unread)
        elif is_empty(named.get(ours)):
            named[ours], theirs[ours] = value, key
        elif value != named[ours] and not is_empty(value):
            raise Rejected(Finding("ambiguous-key", f"{path}.{key}", f"{theirs[ours]} and {key} differ"))
    return named


def read_thinking(named: dict[str, Any], path: str, ignore: frozenset[str]) -> str | None:
    """Take the thinking out of a message and return it, None where there is none."""
    thoughts = {}
    for key in (key for key in THINKING if not matches(key, ignore)):
        thought = named.pop(key, None)
        if isinstance(thought, str) and thought.strip():
            thoughts[thought] = key
        elif not isinstance(thought, str) and not is_empty(thought):
            raise Rejected(Finding("wrong-structure", f"{path}.{key}", "not a text"))
    if len(thoughts) > 1:
        raise Rejected(Finding("ambiguous-key", path, f"{' and '.join(thoughts.values())} differ"))
    return next(iter(thoughts), None)


def require_final(named: dict[str, Any], path: str, ignore: frozenset[str]) -> None:
    """Take harmony's channel out of a message. Rejected: one of another channel, whose text would be a final answer."""
    channel = None if matches("channel", ignore) else named.pop("channel", None)
    if not is_empty(channel) and channel != "final":
        said = (
            f"a message of the channel {channel!r}: write thinking as `thinking` of the message with the final answer"
        )
        raise Rejected(Finding("unsupported-key", f"{path}.channel", said))


def account_for_rest(rest: dict[str, Any], path: str, ignore: frozenset[str], unread: Unread) -> None:
    """Count the keys of a message that hold something and are not read. Rejected: one whose meaning would be lost."""
    left = {key: value for key, value in rest.items() if not is_empty(value)}
    if lost := [key for key, value in left.items() if not (matches(key, ignore) or is_harmless(key, value))]:
        raise Rejected(*(name_key(key, path) for key in lost))
    unread.update(f"{PLACE.sub('[]', path)[2:]}.{key}" for key in left)


def read_text(content: Any, path: str, ignore: frozenset[str], unread: Unread) -> Any:
    """Return the text of a message's content, whose parts are put together; other parts than text are refused."""
    if not isinstance(content, list) or not content or not all(isinstance(part, dict) for part in content):
        return content
    for number, part in enumerate(content):
        if part.get("type") not in TEXT_PARTS or not isinstance(part.get("text"), str):
            said = f"a part of type {part.get('type')!r}: the model reads text alone"
            raise Rejected(Finding("unsupported-key", f"{path}.content", said))
        rest = {key: value for key, value in part.items() if key not in ("type", "text")}
        account_for_rest(rest, f"{path}.content[{number}]", ignore, unread)
    return "".join(part["text"] for part in content)
