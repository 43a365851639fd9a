"""side_by_side.py: the source of a conversation of several turns, and which rows are of one prompt."""

import pytest

from pipeline.evaluation.side_by_side import End, read_side_by_side
from tests.support.predictions import make_prediction, write_rows


@pytest.fixture
def read(tmp_path):
    """Return a function that reads predictions for given conversations; each turn is a role and its text."""

    def run(*conversations: str):
        rows = [
            make_prediction(
                str(n), [dict(zip(("role", "content"), turn.split(": "), strict=True)) for turn in turns], str(n)
            )
            for n, turns in enumerate(conversation.split(" / ") for conversation in conversations)
        ]
        return read_side_by_side({"dpo": write_rows(tmp_path / "predictions.jsonl", rows)})

    return run


def test_the_source_is_what_the_user_said_last(read):
    assert read("user: one / assistant: two / user: three / assistant: four", "system: five").sources == ["three", ""]


def test_rows_are_of_one_prompt_if_all_their_turns_are_the_same(read):
    found = read("user: one", "user: two", "user: one", "system: s / user: one")
    assert found.prompts.tolist() == [0, 1, 0, 2]


def test_rows_with_other_tools_or_another_effort_are_of_another_prompt(tmp_path):
    tools = [[{"type": "function", "function": {"name": name}}] for name in "ab"]
    efforts = [{"reasoning_effort": effort} for effort in ("low", "high")]
    beside = [*({"tools": own} for own in tools), *({"chat_template_kwargs": effort} for effort in efforts), {}]
    rows = [make_prediction(str(n), "one", "two", **own) for n, own in enumerate(beside)]
    found = read_side_by_side({"dpo": write_rows(tmp_path / "predictions.jsonl", rows)})
    assert found.prompts.tolist() == [0, 1, 2, 3, 4]


def test_an_answer_that_was_cut_or_has_no_final_counts_as_an_empty_one(tmp_path):
    ends = [("stop", "Yes", "Yes"), ("length", "Yes, but", ""), ("no_final", "", "")]
    rows = [
        make_prediction(str(n), "one", final, analysis="Hm.", finish=finish, analysis_tokens=n)
        for n, (finish, final, _) in enumerate(ends)
    ]
    files = [write_rows(tmp_path / f"{model}.jsonl", rows) for model in ("base", "dpo")]
    found = read_side_by_side({"base": files[0], "dpo": files[1]})
    for model in ("base", "dpo"):
        assert found.answers[model] == [counted for *_, counted in ends]
        assert found.ends[model] == [End(finish, n, 1) for n, (finish, *_) in enumerate(ends)]
