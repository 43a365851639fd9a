"""Turn one row of any set into a pair, and account for each of its keys."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.preferences.formats import FORMATS, ROWS, keys_of, rated, recognise_format
from pipeline.preferences.formats.scored import ABOUT, Completion, join_scores
from pipeline.preferences.formats.source import Source
from pipeline.preferences.layouts import Renamed, rename, top_of, value_at
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.row_keys import ORIGIN_OR_PROMPT, Unread, is_empty, is_harmless, matches, name_key
from pipeline.preferences.turns import CONVERSATIONS, is_turn, plain_turns, unpack_turns

COMPLETION_KEYS = frozenset(Completion.__struct_encode_fields__)
TOGETHER = {"score_chosen": "score_rejected", "score_rejected": "score_chosen", "score_b": "score_a"}
PROMPTS = frozenset({"prompt", "messages"})
IMPLICIT = {"trl": "chosen", "ab": "a"}  # formats whose prompt may be what both answers begin with
NUMBERS = (
    "score",
    "label",
    "preference",
    "number_of_winner",
    "a_wins",
    "score_a",
    "score_b",
    "score_chosen",
    "score_rejected",
    "margin",
)
YES_OR_NO = {"true": True, "false": False}
ABOUT_ROW = frozenset({"id", "tag", "winner", *NUMBERS})  # keys whose values another key may have by chance
OPTIONAL = frozenset({"id", "tag", "winner", "history", "rejected_messages", *NUMBERS})  # none where they are empty
OPTIONAL_MESSAGES = OPTIONAL | {"messages"}
EMPTY_JSON = ("[]", "{}")  # LLaMA-Factory writes tools as text
NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII)


def our_row(row: dict[str, Any], options: Options) -> Renamed:
    """Return a row under our names, without what the user ignores."""
    if ignored := ignored_keys(row, options):
        row = {key: value for key, value in row.items() if key not in ignored}
    return rename(row, options.columns)


def ignored_keys(row: dict[str, Any], options: Options) -> set[str]:
    """Return the keys of a row that data.ignore sets aside, and that data.columns does not name."""
    if not options.ignore:
        return set()
    named = {name for path, _ in options.columns for name in (path, top_of(path))}
    return {key for key in row if key not in named and matches(key, options.ignore)}


def recognise_row(row: object, options: Options) -> str | None:
    """Return the format of a row, None if no format has its keys."""
    return recognise_format(our_row(row, options).row) if isinstance(row, dict) else None


def read_row(row: Any, format_name: str, options: Options, unread: Unread) -> Source:
    """Return the pair of a row and the paths of its texts, and count the keys that are not read.

    Raises Rejected, or msgspec's error where the format's Row refuses the row.
    """
    renamed, ours = read_ours(row, format_name, options, unread)
    try:
        source: Source = FORMATS[format_name].convert(ours, options.min_margin)
    except Rejected as refused:
        raise in_their_words(refused, renamed, row) from None
    paths = [their_path(path, renamed, row) for path in source.message_paths]
    return Source(source.pair, paths, their_path(source.rejected_path, renamed, row))


def read_single(row: Any, options: Options, unread: Unread) -> rated.Row:
    """Return a row that holds one answer, and count the keys that are not read. Raises what read_row does."""
    _, ours = read_ours(row, "rated", options, unread)
    assert isinstance(ours, rated.Row)
    return ours


def read_ours(row: Any, format_name: str, options: Options, unread: Unread) -> tuple[Renamed, Any]:
    """Return a row under our names, and its format's Row of it."""
    if not isinstance(row, dict):
        raise msgspec.ValidationError("not an object")
    renamed = our_row(row, options)
    try:
        ours = prepare(renamed, format_name)
        left = left_keys(ours, renamed, format_name, options)
        decoded = decode(ours, format_name, options, unread)
    except Rejected as refused:
        raise in_their_words(refused, renamed, row) from None
    unread.update(left)
    unread.update(key for key in ignored_keys(row, options) if not is_empty(row[key]))
    return renamed, decoded


def in_their_words(refused: Rejected, renamed: Renamed, row: Any) -> Rejected:
    """Return the findings with the paths of the raw row."""
    found = [finding._replace(path=their_path(finding.path, renamed, row)) for finding in refused.findings]
    return Rejected(*found)


def decode(row: dict[str, Any], format_name: str, options: Options, unread: Unread) -> Any:
    """Return the format's Row of a row; conversations are written as ours where they are not."""
    kind = ROWS[format_name]
    if not any(isinstance(text := row.get(key), str) and text.lstrip()[:1] in ("[", "{") for key in CONVERSATIONS):
        try:
            return msgspec.convert(row, kind)
        except msgspec.ValidationError:
            pass
    return msgspec.convert(plain_turns(row, options.ignore, unread), kind)


def prepare(renamed: Renamed, format_name: str) -> dict[str, Any]:
    """Return a row with what its format's Row does not read itself.

    These are empty values, numbers and conversations in a table's cells, scores in a list of their own, a winner by the
    name of its column, and a prompt under a name that may mean something else.
    """
    row = dict(renamed.row)
    for key in row.keys() & (OPTIONAL if format_name == "swift" else OPTIONAL_MESSAGES):
        if is_empty(row[key]):
            del row[key]
        elif key in NUMBERS:
            row[key] = read_number(row[key])
    if format_name == "scored":
        return join_scores(row)
    if format_name == "ab" and isinstance(row.get("winner"), str):
        names = {renamed.paths.get(ours, ours).rpartition(".")[2]: ours for ours in ("a", "b")}
        row["winner"] = names.get(row["winner"], row["winner"])
    if PROMPTS.isdisjoint(row):
        turns = {key: unpack_turns(row[key]) for key in ORIGIN_OR_PROMPT & row.keys()}
        found = [key for key, value in turns.items() if is_conversation(value)]
        if len(found) == 1:
            renamed.paths["prompt"] = found[0]
            row["prompt"] = turns[found[0]]
            del row[found[0]]
    return row


def read_number(value: Any) -> Any:
    """Return the number, or the yes or no, that a cell of a table holds as text; any other value as it is."""
    if not isinstance(value, str):
        return value
    return float(value) if NUMBER.fullmatch(value) else YES_OR_NO.get(value.lower(), value)


def is_conversation(value: Any) -> bool:
    """Say whether a value is a list of messages."""
    return isinstance(value, list) and bool(value) and all(map(is_turn, value))


def left_keys(row: dict[str, Any], renamed: Renamed, format_name: str, options: Options) -> set[str]:
    """Return the keys that hold something and are not read, all of them known to be harmless or ignored.

    Rejected: a key whose meaning would be lost, which may be the prompt, or which belongs to another format.
    """
    for ours in renamed.twice:
        raise Rejected(
            Finding("ambiguous-key", f"$.{ours}", f"{renamed.paths[ours]!r} is {ours}, which the row has too")
        )
    used = keys_of(format_name) - {one for one, other in TOGETHER.items() if other not in row}
    left = [key for key in row if key not in used and not is_empty(row[key]) and row[key] not in EMPTY_JSON]
    findings = list(find_possible_prompts(row, format_name))
    named = {found.path[2:] for found in findings}
    for key in left:
        alone = key in TOGETHER and key in keys_of(format_name)
        known = is_harmless(key) or alone or matches(key, renamed.aside) or matches(key, options.ignore)
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
    """Say whether a value is that of a key that is read, or a text at the end of its conversation."""
    held = [row[key] for key in used & row.keys() if key not in ABOUT_ROW]
    return isinstance(value, str | list) and (value in held or value in [last_text(known) for known in held])


def last_text(value: Any) -> Any:
    """Return the text of the last message of a conversation; None of other values, which no left key has."""
    return value[-1].get("content") if is_conversation(value) else None


def find_possible_prompts(row: dict[str, Any], format_name: str) -> Iterator[Finding]:
    """Yield the keys that may hold the prompt of a row in which it would else be what both answers begin with."""
    if isinstance(row.get(IMPLICIT.get(format_name, "")), str) and PROMPTS.isdisjoint(row):
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


def their_path(path: str, renamed: Renamed, row: Any) -> str:
    """Return the path of a text in the raw row, for its path under our names."""
    ours, rest = re.fullmatch(r"\$\.?([^.\[]*)(.*)", path).groups()  # type: ignore[union-attr]
    theirs = renamed.paths.get(ours, ours)
    if not rest or not isinstance(row, dict):
        return f"$.{theirs}{rest}" if ours else path
    value = value_at(row, [theirs] if theirs in row else theirs.split("."))
    if isinstance(value, dict):  # one message in place of a list
        rest, value = rest.removeprefix("[0]"), [value]
    if rest.endswith(".content") and isinstance(value, list):
        names = {key for turn in value if is_turn(turn) for key in turn}
        other = next((name for name in ("value", "text") if name in names and "content" not in names), "content")
        rest = rest.removesuffix("content") + other
    return f"$.{theirs}{rest}"
