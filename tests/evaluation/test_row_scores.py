"""row_scores.py: whose judgements a win rate is of."""

import json

import pytest

from pipeline.evaluation.row_scores import judged_metric
from pipeline.evaluation.side_by_side import SideBySide

WINNERS = {("base", "sft"): "base", ("base", "dpo"): "dpo", ("sft", "dpo"): "sft"}


@pytest.mark.parametrize(("one", "two", "rate"), [("base", "sft", 0), ("base", "dpo", 1), ("sft", "dpo", 0)])
def test_of_three_models_only_the_judgements_of_the_two_count(one, two, rate, tmp_path):
    rows = [
        {"id": "row", "first": {"order": list(order)}, "second": {"order": list(order[::-1])}, "winner": winner}
        for order, winner in WINNERS.items()
    ]
    path = tmp_path / "judgements.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = judged_metric(path, one, two).statistics(SideBySide(ids=["row"]), two)
    assert table.tolist() == [[rate, 1]]
