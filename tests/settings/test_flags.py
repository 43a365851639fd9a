"""settings/flags.py: settings as ms-swift's command line reads them."""

from pipeline.settings.flags import swift_flags


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


def test_no_digit_of_a_number_is_lost():
    assert swift_flags({"learning_rate": 0.000123456789}) == "--learning_rate 0.000123456789"
