"""tabulate_curves.py: the curves of a training as tables and figures."""

import json

from scripts.tabulate_curves import main

CURVES = [
    {"step": 0, "eval_loss": 0.7, "eval_rewards/margins": 0.0, "epoch": 0},
    {"step": 1, "loss": 0.7, "rewards/margins": 0.0, "logps/chosen": -3.0, "learning_rate": 0.1},
    {"step": 5, "loss": 0.5, "rewards/margins": 0.4, "logps/chosen": -4.0, "learning_rate": 0.0},
    {"step": 5, "eval_loss": 0.6, "eval_rewards/margins": 0.2, "epoch": 1.0},
]


def tabulate(folder, rows):
    (folder / "curves.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    main([str(folder / "curves.jsonl"), "--out", str(folder)])
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_training_and_held_out_pairs_have_a_table_each(tmp_path):
    tabulate(tmp_path, CURVES)
    assert (tmp_path / "training.csv").read_text(encoding="utf-8").splitlines() == [
        "step,loss,reward_margins,logps_chosen,learning_rate",
        "1,0.7,0.0,-3.0,0.1",
        "5,0.5,0.4,-4.0,0.0",
    ]
    assert (tmp_path / "held_out.csv").read_text(encoding="utf-8").splitlines() == [
        "step,loss,reward_margins,epoch",
        "0,0.7,0.0,0",
        "5,0.6,0.2,1.0",
    ]


def test_metrics_are_the_first_and_the_last_figures(tmp_path):
    assert tabulate(tmp_path, CURVES) == {
        "steps": 5,
        "loss": {"first": 0.7, "last": 0.5},
        "held_out": {"before": {"loss": 0.7, "reward_margins": 0.0}, "after": {"loss": 0.6, "reward_margins": 0.2}},
    }


def test_without_held_out_pairs_there_are_no_figures_of_them(tmp_path):
    assert set(tabulate(tmp_path, CURVES[1:3])) == {"steps", "loss"}
    assert (tmp_path / "held_out.csv").read_text(encoding="utf-8") == "step\n"


def test_what_was_evaluated_after_training_only_has_no_before(tmp_path):
    assert set(tabulate(tmp_path, CURVES[1:])["held_out"]) == {"after"}
