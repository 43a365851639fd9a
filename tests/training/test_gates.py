"""gates.py and training/curve_gates.py: what a stage proves of itself, and what its curves say."""

import json
import math

import pytest

from pipeline.gates import GateError, gate, put_gate, read_gates, record_gate, require_gates, write_gates
from pipeline.training.curve_gates import judge_chosen, judge_collapse, judge_finite

# The tutorial's own chart: steps 1, 5, 10 and 15.
TUTORIAL = [{"step": s, "loss": loss} for s, loss in ((1, 0.88), (5, 0.30), (10, 0.005), (15, 0.0001))]


def test_gates_json_is_a_list_of_gates(tmp_path):
    path = tmp_path / "run" / "dpo" / "gates.json"  # folders are made
    write_gates(path, [gate("first_loss", True, 0.6931, "0.6931 within 0.0001")])
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"gate": "first_loss", "passed": True, "value": 0.6931, "expected": "0.6931 within 0.0001"}
    ]


def test_a_gate_that_is_judged_again_takes_the_place_of_the_first(tmp_path):
    for passed in (False, True):
        put_gate(tmp_path / "gates.json", gate("rows_trained", passed, 1, 1))
    assert [row["passed"] for row in read_gates(tmp_path / "gates.json")] == [True]


@pytest.mark.parametrize(("rank", "written"), [(None, 1), ("0", 1), ("1", 0)])
def test_of_the_processes_of_a_training_only_the_first_writes_a_gate(rank, written, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", rank) if rank else monkeypatch.delenv("RANK", raising=False)
    record_gate(tmp_path / "gates.json", gate("rows_trained", True, 1, 1))
    assert len(read_gates(tmp_path / "gates.json")) == written


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_failed_gate_stops_every_process_of_a_training(rank, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(GateError, match="rows_trained is 1, expected 2"):
        record_gate(tmp_path / "gates.json", gate("rows_trained", False, 1, 2))


def test_a_failed_gate_ends_the_stage_with_one_line(tmp_path):
    path = tmp_path / "gates.json"
    write_gates(path, [gate("first_loss", False, 7.03, 0.6931), gate("first_margin", True, 0, 0)])
    with pytest.raises(SystemExit) as stopped:
        require_gates(path)
    assert stopped.value.code == f"{path}: first_loss is 7.03, expected 0.6931"


def test_a_gate_that_is_only_reported_is_printed_and_ends_nothing(tmp_path, capsys):
    path = tmp_path / "gates.json"
    write_gates(path, [gate("loss_collapse", False, "0.005 at step 10", "more")])
    require_gates(path, ["loss_collapse"])
    assert capsys.readouterr().out == f"{path}: loss_collapse is 0.005 at step 10, expected more\n"


def test_the_collapse_of_the_tutorials_own_training_is_found_at_its_step():
    found = judge_collapse(TUTORIAL, 0.02, ["sigmoid"])
    assert (found["passed"], found["value"]) == (False, "0.005 at step 10")


def test_a_loss_that_only_falls_has_not_collapsed():
    assert judge_collapse(TUTORIAL[:2], 0.02, ["sigmoid"])["passed"]


@pytest.mark.parametrize(("last", "passed"), [(0.11, True), (0.09, False)])
def test_a_loss_collapses_below_a_share_of_the_first_one(last, passed):
    rows = [{"step": 1, "loss": 2.0}, {"step": 5, "loss": last}]
    assert judge_collapse(rows, 0.05, ["sigmoid"])["passed"] is passed


@pytest.mark.parametrize("loss", ["ipo", "hinge", "sppo_hard"])
def test_a_loss_that_is_best_at_zero_is_not_judged(loss):
    found = judge_collapse(TUTORIAL, 0.02, [loss])
    assert found["passed"] and found["value"] == "not judged"


def test_chosen_answers_that_grow_unlikely_are_found_at_their_step():
    rows = [{"step": 1, "loss": 1, "rewards/chosen": 0.0}, {"step": 5, "loss": 0.2, "rewards/chosen": -3.0}]
    found = judge_chosen(rows, beta=0.1, nats=20)
    assert (found["passed"], found["value"]) == (False, "30 nats below at step 5")
    assert judge_chosen(rows, beta=0.1, nats=40)["passed"]


@pytest.mark.parametrize(("nats", "passed"), [(8.0, True), (7.9, False)])
def test_chosen_answers_may_fall_by_the_nats_that_are_allowed(nats, passed):
    rows = [{"step": 1, "loss": 1, "rewards/chosen": -4.0}]
    assert judge_chosen(rows, beta=0.5, nats=nats)["passed"] is passed


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_found_with_its_name_and_step(wrong):
    found = judge_finite([{"step": 1, "loss": 0.7}, {"step": 5, "loss": 0.6, "grad_norm": wrong}])
    assert (found["passed"], found["value"]) == (False, "grad_norm at step 5")
