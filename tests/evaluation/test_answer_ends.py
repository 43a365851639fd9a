"""answer_ends.py: shares of answers that were cut or have no final, tokens of thinking, and the gate on lost finals."""

import pytest

from pipeline.evaluation.answer_ends import end_metrics, judge_lost_finals
from pipeline.evaluation.side_by_side import End, SideBySide

ENDS = [End("stop", 4, 2), End("length", 6, 0), End("no_final", 2, 0), End("stop", 0, 6)]


def make_rows(**lost: int) -> SideBySide:
    """Return ten answers of each model; `lost` says how many have no final."""
    ends = {
        model: [End("no_final", 1, 0)] * count + [End("stop", 1, 1)] * (10 - count) for model, count in lost.items()
    }
    return SideBySide(answers={model: [] for model in lost}, ends=ends)


@pytest.mark.parametrize(
    ("name", "value"), [("cut_answers", 0.25), ("no_final", 0.25), ("analysis_tokens", 3), ("final_tokens", 2)]
)
def test_a_figure_is_the_mean_over_all_answers(name, value):
    metric = end_metrics()[name]
    table = metric.statistics(SideBySide(answers={"dpo": []}, ends={"dpo": ENDS}), "dpo")
    assert metric.score(table.sum(axis=0)) == value


@pytest.mark.parametrize(
    ("lost", "passed"),
    [
        ({"base": 0, "dpo": 1}, True),
        ({"base": 0, "dpo": 2}, False),
        ({"base": 9, "dpo": 10}, True),
        ({"base": 3, "dpo": 4}, True),  # 0.4 - 0.3 is above 0.1 in binary
        ({"base": 5, "dpo": 0}, True),
        ({"base": 5, "sft": 0, "dpo": 2}, False),
        ({"base": 0, "sft": 2, "dpo": 2}, False),
    ],
)
def test_the_share_of_lost_finals_may_rise_by_no_more_than_the_setting_over_any_model_before(lost, passed):
    (judged,) = judge_lost_finals(make_rows(**lost), 0.1)
    assert judged["passed"] is passed


def test_the_gate_names_the_model_the_shares_and_the_fix():
    (judged,) = judge_lost_finals(make_rows(base=1, sft=0, dpo=4), 0.1)
    assert judged["value"] == "0.400 over sft (0.000 -> 0.400 of the answers of dpo)"
    assert "raise infer.max_new_tokens" in judged["expected"] and "train on answers that think" in judged["expected"]


def test_a_model_alone_has_no_gate():
    assert judge_lost_finals(make_rows(dpo=10), 0.1) == []
