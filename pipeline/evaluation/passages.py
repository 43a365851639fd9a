"""Passages of a neutral text, which no training saw: how likely they are says what a training made a model forget.

A passage is the last answer of a conversation: of its own one, or of one with a fixed question.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines
from pipeline.preferences.columns import ROLES
from pipeline.preferences.prompts import Refused, check_roles, check_texts, say_finding
from pipeline.preferences.strict_json import parse_strictly

Row = dict[str, Any]

QUESTION = "Write a short text."
WRITE = 'write {"id": "…", "text": "…"}, or {"id": "…", "messages": […]} that end with an answer'
LONG = 60  # characters, as the shortest passages of the general text have
SHAPES = ({"id", "text"}, {"id", "messages"})


def read_passages(path: Path) -> list[Row]:
    """Return the passages of a file as conversations, each with its id; stop with one line at the first fault."""
    if not path.is_file():
        sys.exit(f"{path}: no such file; name a file of passages in evaluate.neutral, or set it to null")
    found: dict[str, Row] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                passage = read_passage(line)
                if passage["id"] in found:
                    raise Refused(f"the id {passage['id']!r} is also that of another passage; give each its own")
            except Refused as fault:
                sys.exit(f"{path}:{number}: {fault}")
            found[passage["id"]] = passage
    if not found:
        sys.exit(f"{path}: no passages; {WRITE} on each line")
    return list(found.values())


def read_passage(line: bytes) -> Row:
    """Return the conversation on a line."""
    row, finding = parse_strictly(line)
    if finding:
        raise Refused(say_finding(finding))
    if not isinstance(row, dict) or set(row) not in SHAPES:
        raise Refused(f"not an id with a text or with messages, and nothing else; {WRITE}")
    if not (isinstance(row["id"], str) and row["id"]):
        raise Refused(f"id is not a text; {WRITE}")
    messages = row.get("messages") or [as_turn("user", QUESTION), as_turn("assistant", row.get("text"))]
    if not isinstance(messages, list) or not all(map(is_turn, messages)):
        raise Refused(f"a message is not a role ({', '.join(ROLES)}) with a text; {WRITE}")
    if messages[-1]["role"] != "assistant" or len(messages) == 1:
        raise Refused(f"the last message is not an answer; {WRITE}")
    check_roles(messages[:-1])
    check_texts(messages)
    return {"id": row["id"], "messages": messages}


def as_turn(role: str, content: Any) -> Row:
    """Return a message."""
    return {"role": role, "content": content}


def is_turn(message: Any) -> bool:
    """Say whether a value is a message of a known role with a text, and nothing else."""
    return (
        isinstance(message, dict)
        and set(message) == {"role", "content"}
        and isinstance(message["role"], str)
        and message["role"] in ROLES
        and isinstance(message["content"], str)
    )


def require_unseen(passages: list[Row], path: Path, trained: Iterable[Path]) -> None:
    """Stop with one line if rows of a training or held-out rows contain passages, which are named.

    A passage is contained where its text is part of a text, if nobody writes that twice by chance; and one with a
    question of its own also where that was asked. Its system message does not matter.
    """
    questions = {clean(row["messages"][-2]["content"]): row["id"] for row in passages}
    texts = {clean(row["messages"][-1]["content"]): row["id"] for row in passages if is_own(row)}
    for file in trained:
        seen = dict.fromkeys(name for row in iterate_json_lines(file) for name in find_contained(row, questions, texts))
        if seen:
            others = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
            sys.exit(
                f"{path}: {next(iter(seen))}{others}: a row of {file} contains this passage, which must be new to the "
                "model; take it out, or name another file in evaluate.neutral"
            )


def find_contained(row: Row, questions: dict[str, str], texts: dict[str, str]) -> Iterator[str]:
    """Yield the ids of the passages that a row of a training contains."""
    asked = (clean(turn["content"]) for turn in row["messages"] if turn["role"] == "user")
    yield from (questions[question] for question in asked if question in questions and question != QUESTION)
    own = [clean(turn["content"]) for turn in row["messages"]] + [clean(row.get("rejected_response") or "")]
    yield from (name for text, name in texts.items() if any(text in other for other in own))


def is_own(passage: Row) -> bool:
    """Say whether the text of a passage is its own: long, or all that tells it from others with the fixed question."""
    *_, asked, answer = passage["messages"]
    return clean(asked["content"]) == QUESTION or len(clean(answer["content"])) >= LONG


def clean(text: str) -> str:
    """Return a text with one space wherever it has white space."""
    return " ".join(text.split())
