"""Account for the keys of a row that are not read: harmless, ignored by the user, or named."""

from collections.abc import Iterator
from typing import Any

from pipeline.preferences.formats import keys_of, recognise_format
from pipeline.preferences.formats.scored import ABOUT, Completion
from pipeline.preferences.layouts import NAMES, Renamed, top_of
from pipeline.preferences.options import Options
from pipeline.preferences.prepare_row import NUMBERS, PROMPTS, lacks_prompt
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.row_keys import ORIGIN_OR_PROMPT, is_empty, is_harmless, matches, name_key
from pipeline.preferences.strict_json import read_json
from pipeline.preferences.turns import is_conversation

COMPLETION_KEYS = frozenset(Completion.__struct_encode_fields__)
TOGETHER = {"score_chosen": "score_rejected", "score_rejected": "score_chosen", "score_b": "score_a"}
IMPLICIT = {"trl": "chosen", "ab": "a"}  # formats whose prompt may be what both answers begin with
ABOUT_ROW = frozenset({"id", "tag", "winner", *NUMBERS})  # keys whose values another key may have by chance


def ignored_keys(row: dict[str, Any], options: Options) -> set[str]:
    """Return the keys of a row that data.ignore sets aside, and that data.columns does not name."""
    if not options.ignore:
        return set()
    named = {name for path, _ in options.columns for name in (path, top_of(path))}
    return {key for key in row if key not in named and matches(key, options.ignore)}


def left_keys(row: dict[str, Any], renamed: Renamed, format_name: str, options: Options) -> set[str]:
    """Return the keys that hold something and are not read, all of them known to be harmless or ignored.

    Rejected: a key whose meaning would be lost, which may be the prompt, or which belongs to another format.
    """
    for ours in renamed.twice:
        raise Rejected(
            Finding("ambiguous-key", f"$.{ours}", f"{renamed.paths[ours]!r} is {ours}, which the row has too")
        )
    alone = {one for one, other in TOGETHER.items() if other not in row} & keys_of(format_name)
    used = keys_of(format_name) - alone
    left = [key for key in row if key not in used and not is_empty(read_json(row[key]))]
    findings = list(find_possible_prompts(row, format_name))
    named = {found.path[2:] for found in findings}
    for key in left:
        known = (
            is_harmless(key, row[key]) or key in alone or matches(key, renamed.aside) or matches(key, options.ignore)
        )
        if not (known or key in named or is_copy(row[key], row, used)):
            findings.append(name_key(renamed.paths.get(key, key), "$"))
    inner = list(left_in_completions(row)) if format_name == "scored" else []
    for number, key in inner:
        if not (key in ABOUT or matches(key, options.ignore) or is_harmless(key)):
            findings.append(name_key(key, f"$.completions[{number}]"))
    if findings and (other := recognise_format(row)) not in (None, format_name):
        findings = [Finding("other-format", "$", f"its keys are those of the {other} format")]
    if findings:
        raise Rejected(*findings)
    return {*(renamed.paths.get(key, key) for key in left), *(f"completions[].{key}" for _, key in inner)}


def is_copy(value: Any, row: dict[str, Any], used: frozenset[str]) -> bool:
    """Say whether a text, or messages, are those of a key that is read, or a text at the end of its conversation."""
    held = [row[key] for key in used & row.keys() if key not in ABOUT_ROW]
    return isinstance(value, str | list) and (value in held or value in [last_text(known) for known in held])


def last_text(value: Any) -> Any:
    """Return the text of the last message of a conversation; None of other values."""
    return value[-1].get("content") if is_conversation(value) else None


def has_implicit_prompt(row: dict[str, Any], format_name: str) -> bool:
    """Say whether the prompt of a row would be what both its answers begin with."""
    return isinstance(row.get(IMPLICIT.get(format_name, "")), str) and lacks_prompt(row)


def refuse_blank_prompt(row: dict[str, Any], options: Options) -> None:
    """Refuse a row, under its own names, that has a key for its prompt, and nothing in it."""
    columns = dict(options.columns)
    names = [name for name in (*PROMPTS, *NAMES["prompt"], *columns) if columns.get(name, "prompt") in PROMPTS]
    blank = {name for name in names if name in row or top_of(name) in row} - ignored_keys(row, options)
    if blank:
        raise Rejected(*(Finding("blank-text", f"$.{name}", "no prompt in it") for name in sorted(blank)))


def find_possible_prompts(row: dict[str, Any], format_name: str) -> Iterator[Finding]:
    """Yield the keys that may hold the prompt of a row in which it would else be what both answers begin with."""
    if has_implicit_prompt(row, format_name):
        for key in sorted(ORIGIN_OR_PROMPT & row.keys()):
            if not is_empty(row[key]):
                yield Finding("unknown-key", f"$.{key}", f"{key!r} may be the prompt: data.columns: {{{key}: prompt}}")


def left_in_completions(row: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the number of a completion and its key, for each key that holds something and is not read."""
    completions = row.get("completions")
    for number, completion in enumerate(completions if isinstance(completions, list) else []):
        for key, value in completion.items() if isinstance(completion, dict) else ():
            if key not in COMPLETION_KEYS and not is_empty(value):
                yield number, key
