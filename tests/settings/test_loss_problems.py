"""settings/loss_problems.py: what ms-swift would take and not use, or replace by a default of its own, is refused."""

import pytest

from pipeline.settings.check import find_problems, load_config, merge

OTHER = {"rpo_alpha": None}  # config.yaml has one, which is DPO's
SIMPO = OTHER | {"rlhf_type": "simpo", "loss_type": "simpo", "simpo_gamma": 1.0, "cpo_alpha": 0.0}
CPO = OTHER | {"rlhf_type": "cpo", "cpo_alpha": 1.0}
ORPO = OTHER | {"rlhf_type": "orpo", "loss_type": None}
KTO = OTHER | {"rlhf_type": "kto", "loss_type": "kto", "desirable_weight": 1.0, "undesirable_weight": 1.0}
MIXTURE = {"loss_type": ["sigmoid", "hinge"], "loss_weights": [1.0, 0.5]}


def problems_of(train: dict | None = None, **dpo) -> list[str]:
    return find_problems(merge(load_config([]), {"dpo": dpo, "train": train or {}}))


@pytest.mark.parametrize("settings", [{}, SIMPO, CPO, ORPO, KTO, MIXTURE], ids=str)
def test_each_kind_of_training_can_be_used(settings):
    assert problems_of(**settings) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"loss_type": "sppo"},
            "dpo.loss_type: 'sppo' is not a loss of rlhf_type dpo; "
            "write sigmoid, ipo, hinge, robust, apo_zero, sppo_hard",
        ),
        # ms-swift would train CPO and say nothing.
        (SIMPO | {"loss_type": "sigmoid"}, "dpo.loss_type: 'sigmoid' is not a loss of rlhf_type simpo; write simpo"),
        (ORPO | {"loss_type": "sigmoid"}, "dpo.loss_type: 'sigmoid' is not a loss of rlhf_type orpo; write null"),
        (
            {"loss_type": None},
            "dpo.loss_type: null is not a loss of rlhf_type dpo; "
            "write sigmoid, ipo, hinge, robust, apo_zero, sppo_hard",
        ),
        (
            MIXTURE | {"loss_weights": None},
            "dpo.loss_weights: has to hold a weight for each of the 2 losses of dpo.loss_type",
        ),
        ({"loss_weights": [1.0, 2.0]}, "dpo.loss_weights: only used with a list as dpo.loss_type; set null"),
        (ORPO | {"rpo_alpha": 1.0}, "dpo.rpo_alpha: only used with rlhf_type dpo; set null"),
        (KTO | {"ld_alpha": 0.5}, "dpo.ld_alpha: only used with rlhf_type dpo; set null"),
        ({"cpo_alpha": 1.0}, "dpo.cpo_alpha: only used with rlhf_type simpo or cpo; set null"),
        (
            SIMPO | {"simpo_gamma": None},
            "dpo.simpo_gamma: reaches the loss of rlhf_type simpo; write it out (docs/pipeline.md#losses)",
        ),
        (
            KTO | {"undesirable_weight": None},
            "dpo.undesirable_weight: reaches the loss of rlhf_type kto; write it out (docs/pipeline.md#losses)",
        ),
        ({"loss_type": "hinge", "label_smoothing": 0.1}, "dpo.label_smoothing: not used by hinge; set 0"),
        (ORPO | {"label_smoothing": 0.1}, "dpo.label_smoothing: not used by orpo; set 0"),
        (
            {"init_weights": "pissa"},
            "dpo.init_weights: pissa changes the weights beneath the adapter, which dpo takes for the reference "
            "model; set 'true'",
        ),
        (
            KTO | {"use_liger_kernel": True},
            "dpo.use_liger_kernel: liger's kto loss needs a second model, and a LoRA training has none; set false",
        ),
    ],
)
def test_a_setting_that_the_loss_does_not_use_is_refused_with_its_fix(settings, problem):
    assert problems_of(**settings) == [problem]


def test_a_list_of_losses_is_refused_where_there_is_one_loss():
    assert "dpo.loss_type: a list goes with rlhf_type dpo only; write simpo" in problems_of(
        **SIMPO | {"loss_type": ["simpo", "sigmoid"]}
    )


def test_label_smoothing_is_used_by_a_part_of_a_mixture():
    assert problems_of(**MIXTURE, label_smoothing=0.1) == []


def test_kto_needs_two_answers_in_a_step():
    assert problems_of({"cpu_processes": 2}, **KTO, per_device_train_batch_size=1) == []
    (problem,) = problems_of({"cpu_processes": 1}, **KTO, per_device_train_batch_size=1)
    assert problem.startswith("dpo.per_device_train_batch_size: kto compares the answers of a step")
