"""tabulate_sweep.py: the points of a sweep as rows, and the one with the lowest held-out loss."""

import json
import re

import pytest

from pipeline.files.tables import write_table
from pipeline.report.sweep_table import find_lowest_loss, point_row
from scripts.tabulate_sweep import main
from tools.show_results import describe_sweep

METRICS = {
    "steps": 30,
    "loss": {"first": 0.7, "last": 0.5},
    "held_out": {"before": {"loss": 0.7}, "after": {"loss": 0.6, "reward_margins": 0.2}},
}


def rows_of(*losses: float) -> list[dict]:
    return [{"point": f"p{number}", "held_out_loss": loss} for number, loss in enumerate(losses)]


def test_a_point_is_a_row_of_its_settings_and_figures():
    assert point_row("soft", {"dpo.beta": 0.05, "dpo.bf16": None, "dpo.target_modules": ["q", "v"]}, METRICS) == {
        "point": "soft",
        "dpo.beta": "0.05",
        "dpo.bf16": "null",
        "dpo.target_modules": "q v",
        "steps": 30,
        "loss_first": 0.7,
        "loss_last": 0.5,
        "held_out_loss": 0.6,
        "held_out_reward_margins": 0.2,
    }


def test_without_held_out_pairs_a_row_has_no_figures_of_them():
    assert set(point_row("p", {}, {"steps": 1, "loss": METRICS["loss"]})) == {
        "point",
        "steps",
        "loss_first",
        "loss_last",
    }


def test_the_lowest_loss_is_found_among_those_that_are_numbers():
    lowest = find_lowest_loss(rows_of(float("nan"), 0.6, 0.5, 0.5))
    assert lowest and lowest["point"] == "p2"


def test_where_nothing_was_held_out_no_point_is_the_best():
    assert find_lowest_loss([{"point": "p0"}]) is None


def test_the_results_name_the_point_with_the_lowest_held_out_loss(tmp_path):
    write_table(tmp_path / "sweep.csv", rows_of(0.61, 0.53, 0.7))
    assert describe_sweep(tmp_path / "sweep.csv") == "3 points; lowest held-out loss 0.5300: p1"


def test_the_results_of_a_sweep_without_held_out_pairs_are_counted(tmp_path):
    write_table(tmp_path / "sweep.csv", [{"point": "p0"}, {"point": "p1"}])
    assert describe_sweep(tmp_path / "sweep.csv") == "2 points"


def test_a_point_without_figures_is_named(tmp_path):
    settings = {"run": "s", "sweep": {"grid": {"dpo.beta": [0.05]}}, "dpo": {"beta": 0.1}, "infer": {}}
    missing = tmp_path / "s-beta=0.05" / "dpo" / "metrics.json"
    with pytest.raises(SystemExit, match=f"^{re.escape(str(missing))}: no such file; run the stage that writes it$"):
        main(["--settings", json.dumps(settings), "--results", str(tmp_path), "--out", str(tmp_path)])
