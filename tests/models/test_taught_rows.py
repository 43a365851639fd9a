"""taught_rows.py: of the user's file for the tiny model, each row that cannot be taught is named with file and line."""

import json
from typing import Any

import pytest

from pipeline.models.taught_rows import read_taught
from tests.support.project import ROOT

QUESTION, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be kind."}
GOOD: dict[str, Any] = {"messages": [QUESTION, ANSWER]}


def read(tmp_path, *lines: str) -> list[dict[str, Any]]:
    """Return the rows of a file with these lines."""
    path = tmp_path / "own.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_taught(path)


@pytest.mark.parametrize("name", ["interface/base.jsonl", "preferences.jsonl"])
def test_conversations_and_pairs_are_read_as_they_are(name):
    path = ROOT / "data" / name
    assert read_taught(path) == [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("messages", [[SYSTEM, QUESTION, ANSWER], [QUESTION, QUESTION, ANSWER], [QUESTION, ANSWER] * 2])
def test_conversations_that_a_template_can_write_are_taken(tmp_path, messages):
    assert len(read(tmp_path, json.dumps({"messages": messages}))) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (None, "not an object of JSON"),
        ([], "not an object of JSON"),
        ({"messages": []}, "not an object of JSON with a list of messages"),
        ({"messages": "Hi"}, "not an object of JSON with a list of messages"),
        ({"messages": [QUESTION, "Hello"]}, "messages[1].role: not one of user, assistant, in this place"),
        ({"messages": [QUESTION, SYSTEM, ANSWER]}, "messages[1].role: not one of user, assistant"),
        ({"messages": [QUESTION | {"role": ["user"]}, ANSWER]}, "messages[0].role: not one of system, user"),
        *(
            ({"messages": [QUESTION | {"content": odd}, ANSWER]}, "messages[0].content: no text")
            for odd in (None, 3, "", " ", ["x"], {"text": "x"})
        ),
        ({"messages": [QUESTION]}, "messages: neither a question nor an answer may be missing"),
        ({"messages": [SYSTEM, ANSWER]}, "messages: neither a question nor an answer may be missing"),
        (GOOD | {"chat_template_kwargs": {"reasoning_effort": "lots"}}, "chat_template_kwargs: only reasoning_effort"),
        (GOOD | {"chat_template_kwargs": 3}, "chat_template_kwargs: only reasoning_effort"),
        (GOOD | {"tools": [{"type": "function"}]}, "tools: not read here; take the row out"),
        (GOOD | {"rejected_response": None}, "rejected_response: not a text"),
    ],
)
def test_a_row_that_cannot_be_taught_is_one_line_with_file_and_line(tmp_path, row, said):
    with pytest.raises(SystemExit) as stopped:
        read(tmp_path, json.dumps(GOOD), json.dumps(row))
    assert str(stopped.value).startswith(f"{tmp_path}/own.jsonl:2: {said}")
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize("line", ["{", "", "\\", '{"messages": ' + "[" * 9999])
def test_a_line_that_is_not_json_is_named(tmp_path, line):
    with pytest.raises(SystemExit, match=r"own\.jsonl:1: not an object of JSON"):
        read(tmp_path, line)


def test_an_empty_file_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"own\.jsonl: no conversations; write one on each line"):
        read(tmp_path)
