"""Read prompts that have no reference answer: JSON Lines, or a text file with a prompt a line."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline.models.system_message import prompt_settings
from pipeline.preferences.checks import explain_text
from pipeline.preferences.chunk import Place
from pipeline.preferences.columns import PLAIN_ROLES
from pipeline.preferences.formats.source import Source, make_pair
from pipeline.preferences.harmony_parts import add_parts
from pipeline.preferences.left_keys import ignored_keys
from pipeline.preferences.options import options_of_keys
from pipeline.preferences.pair import Message
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.prompt_settings import PromptSettings, take_settings
from pipeline.preferences.read_row import our_row
from pipeline.preferences.rejects import describe_finding
from pipeline.preferences.row_keys import Unread, is_empty, is_harmless, matches, name_key
from pipeline.preferences.strict_json import parse_strictly
from pipeline.preferences.turns import join_instructions, read_turns

Messages = list[dict[str, str]]

KEYS = ("id", "tag", "system", "prompt", "messages")
WRITE = 'write {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}'
LOSES = ("unknown-key", "unsupported-key")
SET_ASIDE = "take it out, or name it in data.ignore if the prompt means the same without it"


class Refused(Exception):
    """What is wrong with a row, and the fix."""


class PromptFile:
    """A file of prompts, and the keys of its rows that are not read."""

    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        """Take `system`, `columns`, `ignore` and `earlier_thinking` from the settings of `data:`."""
        self.path = path
        self.system: str | None = data["system"]  # message of prompts that have none
        self.options = options_of_keys(data)
        self.unread: Unread = Unread()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the prompts: id, messages, and the tag if there is one; stop with one line at the first fault."""
        lines_of: dict[str, int] = {}
        number = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    prompt = self.read_line(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, number)
                    if (first := lines_of.setdefault(prompt["id"], number)) != number:
                        raise Refused(f"the id {prompt['id']!r} is also that of line {first}; give each its own")
                except Refused as fault:
                    sys.exit(f"{Place(str(self.path), number, None)}: {fault}")
                except Rejected as rejected:
                    sys.exit(f"{Place(str(self.path), number, None)}: {say_finding(rejected.findings[0])}")
                yield prompt
        if not number:
            sys.exit(f"{self.path}: no prompts; {WRITE} on each line, or in a .txt file the text alone")

    def read_line(self, line: bytes, number: int) -> dict[str, Any]:
        """Return a line as a prompt; one without an id is named after its line."""
        row, settings = self.find_parts(parse_line(line, self.path.suffix == ".txt"))
        name = row.get("id", f"row-{number}")
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise Refused("id is neither text nor a whole number; write one of them, or leave it out")
        for key in ("tag", "system"):
            if not isinstance(row.get(key, ""), str):
                raise Refused(f"{key} is not text; write text, or leave it out")
        messages = self.find_messages(row)
        check_roles(messages)
        messages, said = self.add_settings(messages, settings)
        check_roles(messages)  # an earlier turn that only thinks is gone
        check_texts(messages)
        if self.system and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.system}, *messages]
        return {"id": str(name)} | ({"tag": row["tag"]} if "tag" in row else {}) | said | {"messages": messages}

    def add_settings(self, messages: Messages, settings: PromptSettings) -> tuple[Messages, dict[str, Any]]:
        """Return messages as those of a pair are written, and the effort that the row or its system message says."""
        turns = [Message(turn["role"], turn["content"]) for turn in messages]  # type: ignore[arg-type]
        paths = [f"$.messages[{number}].content" for number in range(len(turns))]
        source = add_parts(Source(make_pair(turns, ""), paths, ""), settings, self.options)
        if source.warnings:
            self.unread["thinking of earlier turns"] += 1
        written: dict[str, Any] = msgspec.to_builtins(source.pair)
        return written["messages"], prompt_settings(written)

    def find_parts(self, row: dict[str, Any]) -> tuple[dict[str, Any], PromptSettings]:
        """Return a row under our names, and its effort.

        Keys that are not read are counted, or refused where they may mean more.
        """
        renamed = our_row(row, self.options)
        if "tools" in renamed.row:
            raise Rejected(name_key("tools", "$"))
        rest, settings = take_settings(renamed.row, self.unread)
        renamed = renamed._replace(row=rest)
        for ours in renamed.twice:
            raise Rejected(Finding("ambiguous-key", f"$.{ours}", f"{renamed.paths[ours]!r} is {ours} too"))
        left = {renamed.paths.get(key, key): value for key, value in renamed.row.items() if key not in KEYS}
        for key, value in left.items():
            if not (matches(key, self.options.ignore) or is_harmless(key, value)):
                raise Rejected(name_key(key, "$"))
        self.unread.update([*left, *ignored_keys(row, self.options)])
        return renamed.row, settings

    def find_messages(self, row: dict[str, Any]) -> Messages:
        """Return the turns of a row, the system message first."""
        if ("prompt" in row) == ("messages" in row):
            raise Refused(f"{'both' if 'prompt' in row else 'neither'} of prompt and messages; {WRITE}")
        key = "prompt" if "prompt" in row else "messages"
        turns, origins = read_turns(row[key], f"$.{key}", self.options.ignore, self.unread)
        turns, is_joined = join_instructions(turns, origins, row.get("system", ""))
        if isinstance(turns, str) and key == "prompt":
            turns = [{"role": "user", "content": turns}]
        if not isinstance(turns, list):
            raise Refused(f"{key} holds no messages; {WRITE}")
        for number, turn in enumerate(turns, 1):
            if not is_plain_turn(turn):
                raise Refused(f"message {number} is not a role ({', '.join(PLAIN_ROLES)}) and a text; {WRITE}")
        if "system" not in row or is_joined:
            return turns
        if turns[0]["role"] == "system":
            raise Refused("a system message stands both in system and in the messages; keep one of them")
        return [{"role": "system", "content": row["system"]}, *turns]


def is_plain_turn(turn: Any) -> bool:
    """Say whether a value is a message of a system, a user or an assistant, with a text."""
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
        return False
    return isinstance(turn.get("role"), str) and turn["role"] in PLAIN_ROLES


def parse_line(line: bytes, is_text: bool) -> dict[str, Any]:
    """Return a line as an object, without empty values; a line of text is its prompt."""
    if is_text:
        try:
            return {"prompt": line.decode().rstrip("\r\n") or " "}
        except UnicodeDecodeError:
            raise Rejected(Finding("not-utf8")) from None
    row, finding = parse_strictly(line)
    if finding:
        raise Rejected(finding)
    if not isinstance(row, dict):
        raise Refused(f"not an object; {WRITE}")
    return {key: value for key, value in row.items() if not is_empty(value)}


def say_finding(finding: Finding) -> str:
    """Return a finding of the conversion of pairs in words that fit a prompt."""
    said = describe_finding(finding)
    path = f"{finding.path}: " if finding.path != "$" else ""
    return f"{path}{said['problem']}; {SET_ASIDE if finding.code in LOSES else said['fix']} ({finding.code})"


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
    for number, turn in enumerate(messages, 1):
        if said := explain_text(turn["content"], PLAIN_ROLES[turn["role"]]):
            raise Refused(f"message {number}: {said}")
