"""first_loss.py: what the first step of a training must show."""

import math

import pytest
import yaml

from pipeline.training.first_loss import predict_first_loss
from tests.support.project import ROOT

DPO = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["dpo"]


def predict(logged: dict[str, float] | None = None, **changed) -> float | None:
    plain = {
        "rlhf_type": "dpo",
        "rpo_alpha": None,
        "loss_weights": None,
        "desirable_weight": None,
        "undesirable_weight": None,
    }
    return predict_first_loss(DPO | plain | changed, logged or {})


@pytest.mark.parametrize(
    ("loss_type", "beta", "loss"),
    [
        ("sigmoid", 0.3, 0.693147),
        ("robust", 0.3, 0.693147),
        ("hinge", 0.3, 1.0),
        ("apo_zero", 0.3, 1.0),
        ("ipo", 0.5, 1.0),
        ("ipo", 0.1, 25.0),
        ("sppo_hard", 0.5, 2.0),
        ("sppo_hard", 0.1, 50.0),
    ],
)
def test_each_dpo_loss_is_a_constant_of_beta(loss_type, beta, loss):
    assert predict(loss_type=loss_type, beta=beta) == pytest.approx(loss, abs=1e-6)


def test_label_smoothing_does_not_move_it():
    assert predict(loss_type="sigmoid", label_smoothing=0.2) == predict(loss_type="sigmoid")


def test_a_mixture_is_the_weighted_sum():
    assert predict(loss_type=["hinge", "ipo"], loss_weights=[0.25, 2.0], beta=0.5) == 0.25 + 2.0


def test_the_nll_and_the_router_loss_are_added_with_their_weights():
    logged = {"nll_loss": 3.0, "aux_loss": 8.0}
    assert predict(logged, loss_type="hinge", rpo_alpha=0.5, router_aux_loss_coef=0.25) == 1.0 + 1.5 + 2.0


def test_a_missing_mean_is_not_taken_for_zero():
    with pytest.raises(KeyError, match="nll_loss"):
        predict({}, rpo_alpha=1.0)


def test_ld_alpha_one_is_plain_dpo_and_any_other_has_no_closed_form():
    assert predict(ld_alpha=1) == math.log(2)
    assert predict(ld_alpha=0.5) is None


def test_kto_is_half_the_weight_that_both_kinds_share():
    kto = {"rlhf_type": "kto", "loss_type": "kto"}
    assert predict(**kto, desirable_weight=1.5, undesirable_weight=1.5) == 0.75
    assert predict(**kto, desirable_weight=1.0, undesirable_weight=2.0) is None


def test_orpo_is_linear_in_what_it_logs():
    logged = {"nll_loss": 2.0, "log_odds_ratio": -0.5}
    assert predict(logged, rlhf_type="orpo", loss_type=None, beta=0.2) == pytest.approx(2.1)


@pytest.mark.parametrize("rlhf_type", ["simpo", "cpo"])
def test_losses_of_single_pairs_have_no_closed_form(rlhf_type):
    assert predict({"nll_loss": 2.0}, rlhf_type=rlhf_type, loss_type="simpo") is None


@pytest.mark.parametrize("kind", ["orpo", "kto"])
def test_a_router_loss_that_the_trainer_does_not_log_leaves_none(kind):
    logged = {"nll_loss": 2.0, "log_odds_ratio": -0.5}
    weights = {"desirable_weight": 1.0, "undesirable_weight": 1.0}
    assert predict(logged, rlhf_type=kind, **weights) is not None
    assert predict(logged, rlhf_type=kind, **weights, router_aux_loss_coef=0.25) is None


def test_an_adapter_that_starts_at_zero_leaves_the_reference_as_it_is():
    assert predict(init_weights="gaussian") == math.log(2)


@pytest.mark.parametrize("init_weights", ["pissa", "olora"])
def test_an_adapter_that_does_not_start_at_zero_has_none(init_weights):
    assert predict(init_weights=init_weights) is None
