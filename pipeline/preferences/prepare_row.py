"""Write the cells, lists and verdicts of a row, and a prompt under another name, as its format's Row reads them."""

import re
from typing import Any

from pipeline.preferences.formats.scored import join_scores
from pipeline.preferences.layouts import Renamed
from pipeline.preferences.row_keys import ORIGIN_OR_PROMPT, is_empty
from pipeline.preferences.strict_json import read_json
from pipeline.preferences.turns import is_conversation, unpack_turns

PROMPTS = frozenset({"prompt", "messages"})
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
LISTS = ("completions", "scores", "history")  # beside conversations
YES_OR_NO = {"true": True, "false": False}
OPTIONAL = frozenset({"id", "tag", "winner", "history", "rejected_messages", *NUMBERS})  # none where they are empty
OPTIONAL_MESSAGES = OPTIONAL | {"messages"}
NUMBER = re.compile(r"[-+]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][-+]?\d{1,2})?", re.ASCII)


def prepare(renamed: Renamed, format_name: str) -> dict[str, Any]:
    """Return a row with what its format's Row does not read itself.

    These are empty values, numbers and conversations in a table's cells, scores in a list of their own, a winner by the
    name of its column, and a prompt under a name that may mean something else.
    """
    row = dict(renamed.row)
    optional = OPTIONAL if format_name == "swift" else OPTIONAL_MESSAGES
    for key in row.keys() & optional.union(LISTS):
        row[key] = read_cell(key, row[key])
        if key in optional and is_empty(row[key]):
            del row[key]
    if format_name == "scored":
        return join_scores(row)
    if format_name == "ab" and isinstance(row.get("winner"), str):
        names = {renamed.paths.get(ours, ours).rpartition(".")[2]: ours for ours in ("a", "b")}
        row["winner"] = names.get(row["winner"], row["winner"])
    if lacks_prompt(row):
        turns = {key: unpack_turns(row[key]) for key in ORIGIN_OR_PROMPT & row.keys()}
        found = [key for key, value in turns.items() if is_conversation(value)]
        if len(found) == 1:
            renamed.paths["prompt"] = found[0]
            row["prompt"] = turns[found[0]]
            del row[found[0]]
    return row


def read_cell(key: str, value: Any) -> Any:
    """Return the number or the list that a key holds as text, as cells of tables do; any other value as it is."""
    if key in LISTS:
        return read_json(value)
    return read_number(value) if key in NUMBERS else value


def read_number(value: Any) -> Any:
    """Return the number, or the yes or no, that a cell of a table holds as text; any other value as it is."""
    if not isinstance(value, str):
        return value
    return float(value) if NUMBER.fullmatch(value) else YES_OR_NO.get(value.lower(), value)


def lacks_prompt(row: dict[str, Any]) -> bool:
    """Say whether no key of a row holds its prompt."""
    return all(is_empty(row.get(key)) for key in PROMPTS)
