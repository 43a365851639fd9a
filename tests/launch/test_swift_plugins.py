"""launch/plugins.py: what is loaded exists, and what has an order is in it."""

import re

import pytest

from pipeline.launch.plugins import (
    CALLBACKS,
    EVERY_STAGE,
    INFERENCE,
    SMALL,
    plugin_files,
    plugin_flags,
    training_flags,
    training_plugins,
)
from pipeline.settings.levers import LEVERS
from tests.support.project import ROOT


def settings(fast=(), small=()):
    """Return the settings of `train` in which these of train.fast and train.small are on."""
    return {"fast": dict.fromkeys(fast, True), "small": dict.fromkeys(small, True)}


def test_every_file_of_plugins_is_loaded_by_inference_or_by_a_training_with_everything_on():
    loaded = {*plugin_files(INFERENCE), *plugin_files(training_plugins(settings(LEVERS, SMALL), tracked=True))}
    modules = {"plugins/fast/pair_layout.py", "plugins/torchrun/loopback.py"}  # which another, and torchrun, imports
    assert {str(file.relative_to(ROOT)) for file in (ROOT / "plugins").rglob("*.py")} - modules == loaded


def test_a_training_loads_first_what_every_stage_loads():
    assert plugin_flags() == ["--external_plugins", *(f"plugins/{name}.py" for name in EVERY_STAGE)]
    assert training_flags(training_plugins(settings(), False))[: 1 + len(EVERY_STAGE)] == plugin_flags()


def test_levers_are_loaded_in_one_order_whatever_that_of_the_settings():
    assert training_plugins(settings(LEVERS), False) == training_plugins(settings(LEVERS[::-1]), False)
    with pytest.raises(ValueError):
        training_plugins(settings(["mine"]), False)


def test_the_callbacks_are_those_that_plugins_define():
    defined = {
        name
        for file in (ROOT / "plugins").glob("*.py")
        for name in re.findall(r'^callbacks_map\["(\w+)"\] = ', file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert defined == set(CALLBACKS)
    assert training_flags([])[-len(CALLBACKS) - 1 :] == ["--callbacks", *CALLBACKS]
