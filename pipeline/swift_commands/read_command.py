"""Read a `swift rlhf` command as its author meant it, and note where a shell would read it differently."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings.losses import KINDS
from pipeline.swift_commands.find_command import find_command
from pipeline.swift_commands.flag_knowledge import spell_out

NO_PAIRS = "not a swift rlhf command for pairs"
OTHER_DASH = re.compile(r"[\u2010-\u2015\u2212]+\w")


@dataclass
class Command:
    """A command: what it sets in the environment, its flags with their values, and what is odd in its form.

    `beside` names what the script has beside the command. `unknown` holds the values that the script alone does not
    say, each with the variable or the command that it waits for.
    """

    environment: dict[str, str]
    flags: dict[str, list[str]]
    remarks: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def read_command(text: str) -> Command:
    """Read a command, or the script that it is in; ValueError if the text has no command that trains on pairs."""
    remarks = []
    if "\r\n" in text:
        remarks.append("the lines end with CRLF: for a shell, `\\` does not go on in the next line; save it with LF")
    try:
        found = find_command(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except ValueError as error:
        raise ValueError(f"{NO_PAIRS}: {error}") from None
    command = as_command(found.environment, found.words, [*remarks, *found.remarks])
    command.beside, command.unknown = found.beside, found.unknown
    return command


def as_command(environment: dict[str, str], words: list[str], remarks: list[str]) -> Command:
    """Sort the words after `swift rlhf` into flags and their values; ValueError if they do not ask for pairs."""
    flags: dict[str, list[str]] = {}
    values: list[str] | None = None
    for word in words:
        if OTHER_DASH.match(word):
            raise ValueError(f"{NO_PAIRS}: {word!r} begins with a dash that is not `--`; write --")
        if word.startswith("--") and len(word) > 2:
            written, equals, value = word[2:].partition("=")
            name, values = spell_out(written.replace("-", "_"))
            if name not in (written, written.replace("-", "_")):
                remarks.append(f"--{written} is read as --{' '.join([name, *values])}")
            if name in flags:
                remarks.append(
                    f"--{name} stands twice: the last counts, and not {' '.join(flags[name]) or 'the first'}"
                )
            values += [value] if equals else []
            flags[name] = values
        elif values is None:
            raise ValueError(f"{NO_PAIRS}: {word!r} stands before the first flag; a file of flags is not read")
        else:
            values.append(word)
    asked = (flags.get("rlhf_type") or ["dpo"])[-1]
    if asked not in KINDS:
        raise ValueError(f"{NO_PAIRS}: --rlhf_type is {asked}; this project trains {', '.join(KINDS)}")
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
        raise ValueError(f"{record}: {NO_PAIRS}")
    return as_command(environment, words[2:], [])
