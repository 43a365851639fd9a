"""settings/flags.py: settings as ms-swift's command line reads them."""

import argparse
import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings.check import load_config, merge
from pipeline.settings.flags import NO_FLAGS, flag_words, sft_settings, swift_flags
from pipeline.settings.losses import PREFERENCES


def test_settings_become_flags_under_their_own_names():
    settings = {"learning_rate": 4e-4, "use_liger_kernel": True, "seed": 42, "target_modules": ["q_proj", "v_proj"]}
    assert (
        swift_flags(settings)
        == "--learning_rate 0.0004 --use_liger_kernel true --seed 42 --target_modules q_proj v_proj"
    )


def test_null_leaves_a_flag_out():
    assert swift_flags({"rpo_alpha": None, "beta": 0.1}) == "--beta 0.1"


def test_a_value_with_spaces_stays_one_word_in_a_shell():
    assert swift_flags({"model_name": "my robot; rm -rf x"}) == "--model_name 'my robot; rm -rf x'"


@given(st.text())
def test_a_text_of_any_kind_is_read_back_as_the_value_of_its_flag(text):
    parser = argparse.ArgumentParser()
    for name in ("model_author", "model_name"):
        parser.add_argument(f"--{name}")
    read = parser.parse_args(flag_words({"model_author": text, "model_name": "robot"}))
    assert (read.model_author, read.model_name) == (text, "robot")


def test_no_digit_of_a_number_is_lost():
    assert swift_flags({"learning_rate": 0.000123456789}) == "--learning_rate 0.000123456789"


def test_a_section_is_written_as_json():
    section = {"use_reentrant": False, "note": "a 'b'", "none": None}
    flag, text = flag_words({"gradient_checkpointing_kwargs": section})
    assert flag == "--gradient_checkpointing_kwargs"
    assert json.loads(text) == section


def test_the_sft_has_its_own_values_before_those_of_dpo():
    rates = {"dpo": {"learning_rate": 0.1, "seed": 7}, "sft": {"learning_rate": 0.2}}
    flags = sft_settings(merge(load_config([]), rates))
    assert (flags["learning_rate"], flags["seed"]) == (0.2, 7)


def test_the_sft_gets_no_setting_of_a_preference_loss_and_none_that_is_no_flag():
    assert set(sft_settings(load_config([]))) & {*PREFERENCES, *NO_FLAGS} == set()
