"""side_by_side.py: the source of a conversation of several turns, and which rows are of one prompt."""

import json

import pytest

from pipeline.evaluation.side_by_side import read_side_by_side


@pytest.fixture
def read(tmp_path):
    """Return a function that reads predictions for given conversations; each turn is a role and its text."""

    def run(*conversations: str):
        rows = [
            {
                **{"id": str(n), "response": str(n), "chosen": "yes", "rejected": "no"},
                "messages": [dict(zip(("role", "content"), turn.split(": "), strict=True)) for turn in turns],
            }
            for n, turns in enumerate(conversation.split(" / ") for conversation in conversations)
        ]
        path = tmp_path / "predictions.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return read_side_by_side({"dpo": path})

    return run


def test_the_source_is_what_the_user_said_last(read):
    assert read("user: one / assistant: two / user: three / assistant: four", "system: five").sources == ["three", ""]


def test_rows_are_of_one_prompt_if_all_their_turns_are_the_same(read):
    found = read("user: one", "user: two", "user: one", "system: s / user: one")
    assert found.prompts.tolist() == [0, 1, 0, 2]
