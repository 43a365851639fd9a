"""Find the `swift rlhf` command in a script: its words, and what of the script stands beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.swift_commands.read_script import ScriptReader, Statement
from pipeline.swift_commands.variables import ASSIGNMENT, Variables

RLHF_FILE = re.compile(r"(?:.*[/.])?swift[/.]cli[/.]rlhf(?:\.py)?")
# Meant for swift wherever a script sets them.
OF_THE_LAUNCH = ("NPROC_PER_NODE", "NNODES", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES")
OTHER_COMMANDS = {
    "sft": "SFT is a stage before DPO here: sft.enabled, as in experiments/gpt-oss-20b-sft.yaml",
    "pt": "this project does not pre-train",
    "megatron": (
        "Megatron's trainer is not used here; write the command for swift rlhf, with --per_device_train_batch_size "
        "for --micro_batch_size and --learning_rate for --lr"
    ),
}


@dataclass
class Found:
    """A command in a script.

    `words` are those after `swift rlhf`, and `unknown` the words in them that the script alone does not say, each with
    the variable or the command that it waits for. `beside` names all that is neither the command nor a variable of it.
    """

    words: list[str]
    environment: dict[str, str]
    unknown: dict[str, str]
    remarks: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


def find_command(text: str) -> Found:
    """Find the first `swift rlhf` of a script; ValueError if there is none."""
    script, variables, others = ScriptReader(text), Variables(), list[Statement]()
    for number, statement in enumerate(script.statements):
        if count_before_flags(expand_all(statement, variables)) is not None:
            command, after = gather_lines(statement, script.statements[number + 1 :])
            found = read_words(command, variables)
            found.remarks += [f"commented out, and not read: {flag}" for flag in commented_flags(script.comments)]
            found.beside += [*list_endings(command, after), *list_others(others + after, variables)]
            return found
        if not variables.run(statement):
            others.append(statement)
    raise ValueError(name_other(script.statements))


def expand_all(statement: Statement, variables: Variables) -> list[str]:
    """Return the words of a statement, with values in place of variables."""
    return [text for word in statement.words for text in variables.expand(word)[0]]


def count_before_flags(words: list[str]) -> int | None:
    """Return how many words stand before the flags of a `swift rlhf`, itself included; None for another command."""
    for number, word in enumerate(words):
        if Path(word).name == "swift" and words[number + 1 : number + 2] == ["rlhf"]:
            return number + 2
        if RLHF_FILE.fullmatch(word):
            return number + 1
    return None


def name_other(statements: list[Statement]) -> str:
    """Say which command of swift a script has in place of `swift rlhf`, and what to do with it."""
    for statement in statements:
        words = [Path(word.written).name for word in statement.words]
        if "megatron" in words:
            return f"it is megatron: {OTHER_COMMANDS['megatron']}"
        if "swift" in words and (asked := words[words.index("swift") + 1 :]):
            return f"it is swift {asked[0]}: {OTHER_COMMANDS.get(asked[0], 'explained is swift rlhf alone')}"
    return "it has no `swift rlhf`"


def gather_lines(first: Statement, after: list[Statement]) -> tuple[list[Statement], list[Statement]]:
    """Return the lines of a command, with those below that begin with a flag, and what comes after them."""
    lines = [first]
    while after and after[0].before == "\n" and after[0].words and after[0].words[0].written.startswith("--"):
        after[0].breaks[0] = after[0].line - 1
        lines, after = [*lines, after[0]], after[1:]
    return lines, after


def read_words(command: list[Statement], variables: Variables) -> Found:
    """Return the words of a command, with those that a shell would not give to it, and its environment."""
    words, unknown, unseen, broken = list[str](), dict[str, str](), list[str](), None
    for statement in command:
        for number, word in enumerate(statement.words):
            texts, waits_for = variables.expand(word)
            words += texts
            if waits_for:
                unknown |= {text.partition("=")[2] if text[:2] == "--" else text: waits_for[0] for text in texts}
            broken = broken or statement.breaks.get(number)
            unseen += [word.written] if broken and word.written.startswith("--") else []
    start = count_before_flags(words) or 0
    found = Found(words[start:], {}, unknown)
    if unseen:
        found.remarks.append(
            f"line {broken}: a line without `\\`, a blank or a comment after `\\`, or a comment in the line below, "
            f"ends the command for a shell: swift did not see {', '.join(unseen)}. They are read here as they are meant"
        )
    put_environment(found, words[:start], variables)
    return found


def put_environment(found: Found, before: list[str], variables: Variables) -> None:
    """Set the environment of a command from the words before its flags, and from what the script exports."""
    found.environment = {name: variables.text_of(name) for name in variables.exported}
    launcher = []
    for word in before:
        if assigned := ASSIGNMENT.match(word):
            found.environment[assigned[1]] = assigned[3]
        elif Path(word).name not in ("swift", "rlhf"):
            launcher.append(word)
    if launcher:
        found.beside.append(f"before the command: {' '.join(launcher)}")
    for name in OF_THE_LAUNCH:
        if name in variables.values and name not in variables.used and name not in found.environment:
            found.environment[name] = variables.text_of(name)
            found.remarks.append(f"{name} is set without export: swift did not see it. It is read here as it was meant")


def commented_flags(comments: list[str]) -> list[str]:
    """Return the comments that are flags."""
    return [comment.rstrip("\\ ") for comment in comments if comment.startswith("--")]


def list_endings(command: list[Statement], after: list[Statement]) -> Iterator[str]:
    """Yield the redirections, the `&` and the pipes after a command."""
    for statement in command:
        if statement.redirections:
            yield f"after the command: {' '.join(statement.redirections)}"
        if statement.after == "&":
            yield "after the command: &"
    while after and after[0].before in ("|", "|&"):
        yield f"after the command: {after[0].before} {after.pop(0)}"


def list_others(statements: list[Statement], variables: Variables) -> Iterator[str]:
    """Yield the lines of a script that are neither the command nor a variable of it."""
    for statement in statements:
        yield f"line {statement.line}: {statement}"
    named = (*variables.used, *variables.exported, *OF_THE_LAUNCH)
    for name in [name for name in variables.values if name not in named]:
        yield f"a variable that the command does not use: {name}={variables.written[name]}"
