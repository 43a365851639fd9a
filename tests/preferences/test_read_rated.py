"""preferences/read_rated.py: pairs of rows that hold one answer each."""

import pytest

from pipeline.files.json_lines import write_json_lines
from tests.support.conversion import convert, read_pairs, read_quality, read_rejects

SYSTEM, ASKED, ANSWER = (
    {"role": role, "content": text} for role, text in (("system", "B."), ("user", "?"), ("assistant", "a"))
)


def rows(*scores: float, prompt: str = "?") -> list[dict]:
    """Return an answer for each score, which names it."""
    return [{"prompt": prompt, "answer": f"answer {score:g}", "score": score} for score in scores]


def label(answer: str, good: bool, **keys) -> dict:
    return {"prompt": "?", "answer": answer, "label": good, **keys}


def answers(folder) -> list[tuple[str, str]]:
    return [(pair["messages"][-1]["content"], pair["rejected_response"]) for pair in read_pairs(folder)]


def test_the_best_answer_makes_a_pair_with_the_worst_and_the_second_with_the_last_but_one(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", rows(1, 9, 4, 6))
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out") is None
    assert answers(tmp_path / "out") == [("answer 9", "answer 1"), ("answer 6", "answer 4")]


def test_an_answer_that_is_in_no_pair_is_named_with_why(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [*rows(1, 9, 5), *rows(3, prompt="!"), *rows(2, 2.5, prompt="…")])
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out") is None
    found = [(reject["line"], reject["code"]) for reject in read_rejects(tmp_path / "out")]
    assert found == [(3, "small-margin"), (4, "not-paired"), (5, "small-margin"), (6, "small-margin")]


def test_a_desirable_answer_makes_a_pair_with_an_undesirable_one_whatever_the_margin(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [label("a", True), label("b", False), label("c", True)])
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out", min_margin=5) is None
    assert answers(tmp_path / "out") == [("a", "b")]


def test_a_score_is_not_compared_with_a_label(tmp_path):
    scored = [row | {"prompt": "!"} for row in rows(9, 8.5)]
    write_json_lines(tmp_path / "raw.jsonl", [*scored, *rows(9), label("a", True), label("b", False)])
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out", min_margin=0.5) is None
    assert answers(tmp_path / "out") == [("answer 9", "answer 8.5"), ("a", "b")]


def test_a_tag_that_both_answers_have_is_that_of_the_pair(tmp_path):
    tagged = [row | {"tag": "x"} for row in rows(1, 9)]
    other = [row | {"tag": row["answer"]} for row in rows(2, 8, prompt="!")]
    write_json_lines(tmp_path / "raw.jsonl", [*tagged, *other])
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out") is None
    assert [pair.get("tag") for pair in read_pairs(tmp_path / "out")] == ["x", None]


@pytest.mark.parametrize(("good", "bad"), [("True", "False"), ("true", "false"), ("1", "0"), ("1.0", "0.0")])
def test_the_labels_of_a_table_are_read(good, bad, tmp_path):
    (tmp_path / "raw.csv").write_text(f"prompt,completion,label\n?,a,{good}\n?,b,{bad}\n", encoding="utf-8")
    assert convert(tmp_path / "raw.csv", tmp_path / "out") is None
    assert answers(tmp_path / "out") == [("a", "b")]


def test_ignored_keys_do_not_reach_into_the_pairs_that_are_made(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [label("a", True, id="x"), label("b", False, id="y")])
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out", ignore=["id"], columns={"messages": "prompt"}) is None
    assert [pair["id"] for pair in read_pairs(tmp_path / "out")] == ["row-1>row-2"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"reasoning_effort": "high"}, "the other answers to its prompt have another effort, or other tools"),
        ({"tools": [{"name": "f"}]}, "the other answers to its prompt have another effort, or other tools"),
        ({"label": None, "score": 3}, "the other answers to its prompt have a score, and no label"),
        ({"prompt": "!"}, "the only answer to its prompt"),
    ],
)
def test_an_answer_whose_prompt_differs_beside_its_text_is_named_with_what_differs(other, why, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [label("a", True), label("b", False) | other])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", on_problem="drop")
    assert read_rejects(tmp_path / "out")[0]["problem"] == why


def test_answers_under_two_system_messages_make_no_pair(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [label("a", True, system="A."), label("b", False, system="B.")])
    message = convert(tmp_path / "raw.jsonl", tmp_path / "out")
    assert message and "the only answer to its prompt" in message


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (label("a", True, mood="calm"), "unknown-key"),
        (label("a", True, images=["a.png"]), "unsupported-key"),
        (label("", True), "blank-text"),
        (label("a", 2), "wrong-structure"),  # type: ignore[arg-type]
        ({"messages": [{"role": "user", "content": "?"}], "label": True}, "no-final-answer"),
        (label("a", True, score=3), "ambiguous-key"),
        (label("a", True, messages=[ASKED, {"role": "assistant", "content": "d"}]), "ambiguous-key"),
        ({"system": "A.", "messages": [SYSTEM, ASKED, ANSWER], "label": True}, "systems-differ"),
    ],
)
def test_a_row_that_holds_no_answer_or_more_is_named(row, code, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [row, label("b", True), label("c", False)])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", on_problem="drop")
    assert [(reject["line"], reject["code"]) for reject in read_rejects(tmp_path / "out")] == [(1, code)]
    assert answers(tmp_path / "out") == [("b", "c")]


def test_a_pair_that_is_refused_names_both_of_its_rows(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [label("same", True), label("same", False)])
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    found = [(reject["line"], reject["code"]) for reject in read_rejects(tmp_path / "out")]
    assert found == [(1, "same-answers"), (2, "same-answers")]


def test_the_account_of_rows_and_of_keys_adds_up(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [row | {"url": "x", "id": n} for n, row in enumerate(rows(1, 9, 5))])
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    quality = read_quality(tmp_path / "out")
    assert (quality["rows_in"], quality["rows_used"], quality["rows_rejected"], quality["pairs"]) == (3, 2, 1, 1)
    assert quality["keys_left"] == {"id": 3, "url": 3}
