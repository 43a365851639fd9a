"""Turn one row of any set into a pair, and account for each of its keys."""

import re
from typing import Any

import msgspec

from pipeline.preferences.formats import FORMATS, ROWS, rated, recognise_format
from pipeline.preferences.formats.source import Source
from pipeline.preferences.harmony_parts import add_parts
from pipeline.preferences.layouts import Renamed, rename, value_at
from pipeline.preferences.left_keys import has_implicit_prompt, ignored_keys, left_keys, refuse_blank_prompt
from pipeline.preferences.options import Options
from pipeline.preferences.prepare_row import prepare
from pipeline.preferences.problems import Rejected
from pipeline.preferences.prompt_settings import PromptSettings, take_settings
from pipeline.preferences.row_keys import Unread, is_empty
from pipeline.preferences.strict_json import read_json
from pipeline.preferences.tool_turns import ROLES as TOOL_ROLES
from pipeline.preferences.turns import CONVERSATIONS, Origins, is_turn, plain_turns

WRITTEN_TURNS = ("[", "{", "array(")  # how they begin as text


def our_row(row: dict[str, Any], options: Options) -> Renamed:
    """Return a row under our names, without what the user ignores."""
    if ignored := ignored_keys(row, options):
        row = {key: value for key, value in row.items() if key not in ignored}
    return rename(row, options.columns)


def recognise_row(row: object, options: Options) -> str | None:
    """Return the format of a row, None if no format has its keys."""
    return recognise_format(our_row(row, options).row) if isinstance(row, dict) else None


def read_row(row: Any, format_name: str, options: Options, unread: Unread) -> Source:
    """Return the pair of a row, with paths under our names, and count the keys that are not read.

    Raises Rejected, or msgspec's error where the format's Row refuses the row.
    """
    return read_named(row, format_name, options, unread)[0]


def locate_row(row: Any, format_name: str, options: Options) -> Source:
    """Return the result of read_row, with the paths of the texts in the raw row."""
    source, renamed = read_named(row, format_name, options, Unread())
    paths = [their_path(path, renamed, row) for path in source.message_paths]
    return source._replace(message_paths=paths, rejected_path=their_path(source.rejected_path, renamed, row))


def read_named(row: Any, format_name: str, options: Options, unread: Unread) -> tuple[Source, Renamed]:
    """Return the pair of a row, and the names of its keys. Raises what read_row does."""
    renamed, ours, settings = read_ours(row, format_name, options, unread)
    try:
        source = FORMATS[format_name].convert(ours, options.min_margin)
        return add_parts(source, settings, options), renamed
    except Rejected as refused:
        raise in_their_words(refused, renamed, row) from None


def read_single(row: Any, options: Options, unread: Unread) -> tuple[rated.Row, PromptSettings]:
    """Return a row that holds one answer, and count the keys that are not read. Raises what read_row does."""
    _, ours, settings = read_ours(row, "rated", options, unread)
    assert isinstance(ours, rated.Row)
    return ours, settings


def read_ours(row: Any, format_name: str, options: Options, unread: Unread) -> tuple[Renamed, Any, PromptSettings]:
    """Return a row under our names, its format's Row of it, and the settings of its prompt."""
    if not isinstance(row, dict):
        raise msgspec.ValidationError("not an object")
    renamed = our_row(row, options)
    origins: Origins = {}
    try:
        rest, settings = take_settings(renamed.row, unread)
        renamed = renamed._replace(row=rest)
        ours = prepare(renamed, format_name)
        left = left_keys(ours, renamed, format_name, options)
        if has_implicit_prompt(ours, format_name):
            refuse_blank_prompt(row, options)
        decoded = decode(ours, format_name, options, unread, origins)
    except Rejected as refused:
        raise in_their_words(refused, renamed, row) from None
    unread.update(left)
    unread.update(key for key in ignored_keys(row, options) if not is_empty(row[key]))
    return renamed._replace(origins=origins), decoded, settings


def in_their_words(refused: Rejected, renamed: Renamed, row: Any) -> Rejected:
    """Return the findings with the paths of the raw row."""
    found = [finding._replace(path=their_path(finding.path, renamed, row)) for finding in refused.findings]
    return Rejected(*found)


def decode(row: dict[str, Any], format_name: str, options: Options, unread: Unread, origins: Origins) -> Any:
    """Return the format's Row of a row; conversations are written as ours where they are not."""
    kind = ROWS[format_name]
    if not any(map(has_to_be_read, map(row.get, CONVERSATIONS))):
        try:
            return msgspec.convert(row, kind)
        except msgspec.ValidationError:
            pass
    return msgspec.convert(plain_turns(row, options.ignore, unread, origins), kind)


def has_to_be_read(value: Any) -> bool:
    """Say whether a value may hold messages as text, or holds turns with tools."""
    if isinstance(value, str):
        return value.lstrip().startswith(WRITTEN_TURNS)
    turns = value if isinstance(value, list) else []
    return any(isinstance(turn, dict) and str(turn.get("role")) in TOOL_ROLES for turn in turns)


def their_path(path: str, renamed: Renamed, row: Any) -> str:
    """Return the path of a text in the raw row, for its path under our names."""
    ours, rest = re.fullmatch(r"\$\.?([^.\[]*)(.*)", path, re.DOTALL).groups()  # type: ignore[union-attr]
    theirs = renamed.paths.get(ours, ours)
    if not rest or not isinstance(row, dict):
        return f"$.{theirs}{rest}" if ours else path
    origins = (renamed.origins or {}).get(ours)
    if origins and (number := re.match(r"\[(\d+)\]", rest)):
        rest = f"[{origins[int(number[1])]}]{rest[number.end() :]}"
    value = read_json(value_at(row, [theirs] if theirs in row else theirs.split(".")))
    if isinstance(value, dict):  # one message in place of a list
        rest, value = rest.removeprefix("[0]"), [value]
    if rest.endswith(".content") and isinstance(value, list):
        names = {key for turn in value if is_turn(turn) for key in turn}
        other = next((name for name in ("value", "text") if name in names and "content" not in names), "content")
        rest = rest.removesuffix("content") + other
    return f"$.{theirs}{rest}"
