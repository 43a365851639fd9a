"""draw_sweep.py and tabulate_sweep.py: the plot and the table of a sweep."""

import csv
import json
import re

import pytest

from pipeline.report.draw_sweep import choose_lines, sort_values
from scripts.tabulate_sweep import main

pytestmark = pytest.mark.training_environment

GRID = [{"dpo.beta": beta, "dpo.seed": seed} for beta in (0.05, 0.1, 0.2) for seed in (1, 2)]


@pytest.fixture
def tabulate(tmp_path):
    """Return a function that tabulates points with made-up figures, and returns the table and the plot."""

    def run(values: list[dict], held_out: bool = True) -> tuple[list[dict[str, str]], str]:
        for number in range(len(values)):
            metrics: dict = {"steps": 3, "loss": {"first": 0.7, "last": 0.6 - number / 100}}
            if held_out:
                after = {"loss": 0.6, "reward_accuracies": 0.5 + number / 100, "reward_margins": number}
                metrics["held_out"] = {"after": after}
            path = tmp_path / f"s-p{number}" / "dpo" / "metrics.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(metrics), encoding="utf-8")
        points = [{"name": f"p{number}"} | point for number, point in enumerate(values)]
        settings = {"run": "s", "sweep": {"list": points}, "dpo": {}, "infer": {}}
        main(["--settings", json.dumps(settings), "--results", str(tmp_path), "--out", str(tmp_path)])
        table, plot = tmp_path / "sweep.csv", tmp_path / "sweep.svg"
        with table.open(encoding="utf-8", newline="") as rows:
            return list(csv.DictReader(rows)), plot.read_text(encoding="utf-8")

    return run


def texts(plot: str) -> list[str]:
    """Return the texts of a plot: matplotlib draws letters as paths, and says in a comment what they spell."""
    return re.findall(r"<!-- (.*) -->", plot)


def test_a_grid_is_drawn_over_the_setting_with_the_most_values_with_a_line_for_each_other(tabulate):
    shown = texts(tabulate(GRID)[1])
    assert [shown.count(text) for text in ("dpo.beta", "dpo.seed 1", "dpo.seed 2")] == [3, 1, 1]
    assert {"held-out loss", "held-out reward accuracy", "held-out reward margin"} <= set(shown)


def test_points_that_form_no_lines_are_drawn_one_by_one(tabulate):
    shown = texts(tabulate([{"dpo.beta": 0.1, "dpo.seed": 1}, {"dpo.beta": 0.2, "dpo.seed": 2}])[1])
    assert {"p0", "p1"} <= set(shown)
    assert "dpo.beta" not in shown


def test_where_nothing_was_held_out_the_training_loss_is_drawn(tabulate):
    shown = texts(tabulate(GRID, held_out=False)[1])
    assert "training loss, last row" in shown
    assert "held-out loss" not in shown


def test_the_table_has_a_row_for_each_point_in_order(tabulate):
    rows, _ = tabulate(GRID)
    assert [(row["point"], row["dpo.beta"], row["held_out_reward_margins"]) for row in rows][::5] == [
        ("p0", "0.05", "0"),
        ("p5", "0.2", "5"),
    ]


def test_the_same_figures_give_the_same_bytes(tabulate):
    assert tabulate(GRID)[1] == tabulate(GRID)[1]


def test_other_figures_give_another_plot(tabulate):
    assert tabulate(GRID)[1] != tabulate(GRID[::-1][:4])[1]


def test_more_lines_than_colours_are_not_drawn_as_lines():
    values = [{"dpo.beta": beta, "dpo.seed": seed} for beta in range(1, 13) for seed in range(11)]
    assert choose_lines(values) == (None, {})


def test_numbers_lie_in_their_order_and_words_as_they_come():
    assert sort_values([0.2, 0.05, 0.2, 1]) == [0.05, 0.2, 1]
    assert sort_values(["linear", "cosine", "linear"]) == ["linear", "cosine"]
