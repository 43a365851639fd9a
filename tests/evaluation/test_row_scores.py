"""row_scores.py: whose scores count, and whose judgements a win rate is of."""

import json

import msgspec
import numpy as np
import pytest

from pipeline.evaluation.predictions import Prediction
from pipeline.evaluation.row_scores import judged_metric, name_answer, read_scores
from pipeline.evaluation.side_by_side import SideBySide
from scripts.judge_answers import to_row
from tests.support.predictions import make_prediction

WINNERS = {("base", "sft"): "base", ("base", "dpo"): "dpo", ("sft", "dpo"): "sft"}


@pytest.mark.parametrize(("one", "two", "rate"), [("base", "sft", 0), ("base", "dpo", 1), ("sft", "dpo", 0)])
def test_of_three_models_only_the_judgements_of_the_two_count(one, two, rate, tmp_path):
    rows = [
        {"id": "row", "first": {"order": list(order)}, "second": {"order": list(order[::-1])}, "winner": winner}
        for order, winner in WINNERS.items()
    ]
    path = tmp_path / "judgements.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = judged_metric(path, one, two).statistics(SideBySide(ids=[("row", None)]), two)
    assert table.tolist() == [[rate, 1]]


def test_each_row_has_the_score_that_its_model_was_given_and_may_have_none(tmp_path):
    path = tmp_path / "comet.jsonl"
    path.write_text('{"id": "b", "scores": {"base": 0.5, "dpo": 1}}\n', encoding="utf-8")
    table = read_scores(path).statistics(SideBySide(ids=[("a", None), ("b", None)]), "dpo")
    assert np.array_equal(table, [[np.nan, np.nan], [1, 1]], equal_nan=True)


def test_of_several_answers_to_a_prompt_each_has_its_own_score(tmp_path):
    path = tmp_path / "comet.jsonl"
    rows = [{"id": "a", "answer": number, "scores": {"dpo": number / 4}} for number in (1, 2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = read_scores(path).statistics(SideBySide(ids=[("a", 2), ("a", 1)]), "dpo")
    assert table.tolist() == [[0.5, 1], [0.25, 1]]


@pytest.mark.parametrize(
    "write", [lambda row: row.name, lambda row: to_row(row, ["base", "dpo"], {})], ids=["comet", "judge"]
)
def test_scores_and_judgements_name_the_answer_that_they_are_of(write):
    assert name_answer(write(msgspec.convert(make_prediction("a", "?", "", answer=2), Prediction))) == ("a", 2)
    assert name_answer(write(msgspec.convert(make_prediction("a", "?", ""), Prediction))) == ("a", None)
