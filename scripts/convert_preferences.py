"""Check raw preference pairs and write them one a line, in the form that ms-swift reads.

    python scripts/convert_preferences.py data/preferences.jsonl --pairs pairs.jsonl

The raw file is JSON Lines or one JSON array, each row with `messages` and `rejected_response`
(schemas/pair.schema.json). Each problem is printed as `file:line: where: what`. After any problem the
exit status is 1 and nothing is written: training never starts on part of the data.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from json_lines import write_json_lines
from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[1] / "schemas" / "pair.schema.json"
SHOWN = 20  # problems printed before the rest is only counted


class BrokenJson(ValueError):
    """What is wrong with a text that should be JSON, and in which of its lines."""

    def __init__(self, problem: str, lineno: int = 1) -> None:
        super().__init__(problem)
        self.lineno = lineno


Row = tuple[str, Any]  # where the row stands, and the row or the error that reading it gave


def read_rows(raw: Path) -> Iterator[Row]:
    """Yield each row of a JSON Lines file or a JSON array with its place, or what is wrong there."""
    try:
        text = raw.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        yield f"{raw}:{number}", ValueError("not UTF-8; save the file as UTF-8")
        return
    if text.lstrip()[:1] == "[":
        yield from read_array(raw, text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{raw}:{number}", parse(line)


def read_array(raw: Path, text: str) -> Iterator[Row]:
    """Yield each row of a JSON array with its number."""
    rows = parse(text)
    if isinstance(rows, BrokenJson):
        yield f"{raw}:{rows.lineno}", rows
        return
    for number, row in enumerate(rows, start=1):
        yield f"{raw}: row {number}", row


def parse(text: str) -> Any:
    """Return the value of a JSON text, or what is wrong with it."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return BrokenJson(f"column {error.colno}: not JSON: {error.msg}", error.lineno)
    except UnicodeEncodeError:
        return BrokenJson("half a surrogate pair (\\ud800 to \\udfff); write the character itself")
    except RecursionError:
        return BrokenJson("nested too deeply to be a pair")
    except ValueError as error:
        return BrokenJson(str(error))
    return value


def find_problems(row: Any, schema: Draft202012Validator) -> Iterator[str]:
    """Yield what is wrong with one row; nothing, if it is a usable pair."""
    if isinstance(row, ValueError):
        yield str(row)
        return
    errors = sorted(schema.iter_errors(row), key=lambda error: error.json_path)
    for error in errors:
        blank = error.validator == "pattern"
        yield f"{error.json_path}: {'empty; write the text or remove the row' if blank else error.message}"
    if errors:
        return
    roles = [message["role"] for message in row["messages"]]
    turns = roles[1:] if roles[0] == "system" else roles
    if len(turns) % 2 or turns != ["user", "assistant"] * (len(turns) // 2):
        yield f"$.messages: roles are {', '.join(roles)}; user and assistant must take turns, an assistant last"
    elif row["messages"][-1]["content"].strip() == row["rejected_response"].strip():
        yield "$.rejected_response: the same as the chosen answer, so there is nothing to prefer"


def to_pair(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the row as pairs.jsonl holds it: id, tag if it has one, messages, rejected_response."""
    pair = {"id": row.get("id", f"row-{number}")}
    if "tag" in row:
        pair["tag"] = row["tag"]
    return pair | {"messages": row["messages"], "rejected_response": row["rejected_response"]}


def convert(raw: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the pairs of a raw file and the problems found in it."""
    schema = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    pairs: list[dict[str, Any]] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    for number, (place, row) in enumerate(read_rows(raw), start=1):
        if found := [f"{place}: {problem}" for problem in find_problems(row, schema)]:
            problems += found
            continue
        pair = to_pair(row, number)
        first = places.setdefault(pair["id"], place)
        if first is not place:
            problems.append(f"{place}: $.id: {pair['id']!r} is the id of {first} too")
        pairs.append(pair)
    if not pairs and not problems:
        problems.append(f"{raw}: no rows; expected JSON Lines or a JSON array of pairs")
    return pairs, problems


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path, help="raw pairs: JSON Lines or a JSON array")
    parser.add_argument("--pairs", type=Path, required=True, help="where the checked pairs go")
    args = parser.parse_args(argv)

    try:
        pairs, problems = convert(args.raw)
    except OSError as error:
        sys.exit(f"{args.raw}: {error.strerror}")
    if problems:
        more = [f"{args.raw}: {len(problems)} problems in all"] if len(problems) > SHOWN else []
        sys.exit("\n".join([*islice(problems, SHOWN), *more]))
    write_json_lines(args.pairs, pairs)
    print(f"{len(pairs)} pairs in, {len(pairs)} pairs used")


if __name__ == "__main__":
    main()
