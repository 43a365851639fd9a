"""settings/losses.py: the facts cover every kind of training and every setting that the schema has for them."""

import math

import pytest

from pipeline.settings.check import load_schema
from pipeline.settings.losses import KINDS, LOSSES, PREFERENCES, best_is_zero, has_reference, kinds_with, list_losses

DPO = load_schema()["properties"]["dpo"]["properties"]


def test_every_kind_of_training_has_its_facts():
    assert set(KINDS) == set(DPO["rlhf_type"]["enum"])
    assert {kind for loss in LOSSES.values() for kind in loss.kinds} | {"orpo"} == set(KINDS)


def test_every_setting_of_a_loss_is_a_setting_of_dpo():
    assert set(PREFERENCES) <= set(DPO)


def test_every_loss_is_named_where_the_schema_describes_them():
    assert [name for name in LOSSES if name not in DPO["loss_type"]["description"]] == []


def test_every_loss_of_dpo_has_a_constant():
    constants = {name: loss.constant(0.5) for name, loss in LOSSES.items() if loss.constant}
    assert set(constants) == set(list_losses("dpo"))
    assert constants["sigmoid"] == constants["robust"] == math.log(2)
    assert (constants["ipo"], constants["sppo_hard"], constants["hinge"], constants["apo_zero"]) == (1.0, 2.0, 1.0, 1.0)


@pytest.mark.parametrize(("kind", "referenced"), [("dpo", True), ("kto", True), ("orpo", False), (None, False)])
def test_sft_and_the_losses_without_a_reference_have_none(kind, referenced):
    assert has_reference(kind) is referenced


def test_a_setting_of_all_kinds_is_the_own_of_none():
    assert kinds_with("cpo_alpha") == ["simpo", "cpo"]
    assert kinds_with("beta") == []


def test_a_mixture_is_best_at_zero_where_one_of_its_losses_is():
    assert best_is_zero(["sigmoid", "hinge"])
    assert not best_is_zero(["sigmoid", "robust"])
