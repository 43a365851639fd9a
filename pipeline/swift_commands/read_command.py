"""Read a `swift rlhf` DPO command as its author meant it, and note where a shell would read it differently."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.swift_commands.flag_knowledge import spell_out

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# A backslash goes on in the next line only if nothing follows it, and a comment in that line ends the command. The
# tutorial writes comments in both places.
BROKEN_LINE = re.compile(r"\\(?:[ \t]+(?:#[^\n]*)?\n|\n(?:[ \t]*#[^\n]*\n)+)")
# A quoted text, which is kept, or a comment.
COMMENT = re.compile(r"""('[^']*'|"(?:\\.|[^"\\])*")|(?<=\s)#[^\n]*""", re.DOTALL)
OPERATORS = frozenset("();<>|&\n")
NO_DPO = "not a swift rlhf dpo command"


@dataclass
class Command:
    """A command: what it sets in the environment, its flags with their values, and what is odd in its form."""

    environment: dict[str, str]
    flags: dict[str, list[str]]
    remarks: list[str] = field(default_factory=list)


def read_command(text: str) -> Command:
    """Read a command with assignments, `\\` at line ends, and comments; ValueError if the text is not a command."""
    remarks = []
    if BROKEN_LINE.search(f"{text}\n"):
        remarks.append(
            "a blank or a comment after `\\`, or a comment in the line below, ends the command for a shell: swift did "
            "not see the flags that follow. They are read here as they were meant"
        )
    text = BROKEN_LINE.sub(" ", f"\n{text}\n").replace("\\\n", " ")
    text = COMMENT.sub(lambda found: found[1] or "", text)
    for line in split_commands(text):
        if "swift" in line and "rlhf" in line[line.index("swift") + 1 : line.index("swift") + 2]:
            start = line.index("swift")
            environment = dict(
                word.split("=", 1) for word in [*exported(text), *line[:start]] if ASSIGNMENT.match(word)
            )
            return as_command(environment, line[start + 2 :], remarks)
    raise ValueError(f"{NO_DPO}: it has no `swift rlhf`")


def split_commands(text: str) -> list[list[str]]:
    """Return the words of each command of a script."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if set(word) <= OPERATORS:
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError as error:
        raise ValueError(f"{NO_DPO}: {error}") from None
    return commands


def exported(text: str) -> list[str]:
    """Return the assignments that a script exports."""
    return [word for line in split_commands(text) if line[:1] == ["export"] for word in line[1:]]


def as_command(environment: dict[str, str], words: list[str], remarks: list[str]) -> Command:
    """Sort the words after `swift rlhf` into flags and their values; ValueError if they do not ask for DPO."""
    flags: dict[str, list[str]] = {}
    values: list[str] | None = None
    for word in words:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            name, values = spell_out(name.replace("-", "_"))
            if name in flags:
                remarks.append(f"--{name} stands twice: the last counts")
            values += [value] if equals else []
            flags[name] = values
        elif values is None:
            raise ValueError(f"{NO_DPO}: {word!r} stands before the first flag; a file of flags is not read")
        else:
            values.append(word)
    asked = (flags.get("rlhf_type") or ["dpo"])[-1]
    if asked != "dpo":
        raise ValueError(f"{NO_DPO}: --rlhf_type is {asked}")
    return Command(environment, flags, remarks)


def read_run(folder: Path) -> Command:
    """Read the command of a run from its dpo/settings.json; ValueError if there is none."""
    record = folder / "dpo" / "settings.json"
    try:
        settings = json.loads(record.read_text(encoding="utf-8"))
        words, environment = [*map(str, settings["command"])], dict(settings["environment"])
        if tracking := settings.get("contract", {}).get("tracking"):
            environment["TRACKING_MODE"] = tracking["mode"]  # as settings of an earlier release have it
    except FileNotFoundError:
        raise ValueError(f"{record}: no such file; name the folder of a run that was trained") from None
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{record}: holds no command and environment; was it written by train_dpo?") from None
    if words[:2] != ["swift", "rlhf"]:
        raise ValueError(f"{record}: {NO_DPO}")
    return as_command(environment, words[2:], [])
