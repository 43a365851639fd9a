"""flag_knowledge.py: which release of ms-swift has which flag, with which default."""

import pytest

from pipeline.swift_commands.flag_knowledge import (
    OLD,
    PINNED,
    hint_for,
    load_defaults,
    load_dump,
    load_knowledge,
    load_releases,
    read_release,
    release_of,
    was_flag,
)


@pytest.mark.parametrize("release", [OLD, PINNED])
def test_the_table_of_releases_says_what_the_dumps_say(release):
    dump, table = load_dump(release), load_releases()
    assert [flag for flag in table["flags"] if was_flag(flag, release) != (flag in dump)] == []
    older = [
        since for since in table["releases"] if table["releases"].index(since) <= table["releases"].index(release[:3])
    ]
    said = {flag: [moves[since] for since in older if since in moves][-1] for flag, moves in table["defaults"].items()}
    assert {flag: dump[flag] for flag in said} == said


@pytest.mark.parametrize(
    ("release", "flag", "default"),
    [
        ("3.5.0", "split_dataset_ratio", 0.01),
        ("3.6.0", "split_dataset_ratio", 0.0),
        ("3.7.0", "rpo_alpha", 1.0),
        ("3.8.0", "rpo_alpha", None),
        ("3.4.1", "load_from_cache_file", False),
        ("3.8.3", "load_from_cache_file", True),
        ("3.9.0", "load_from_cache_file", False),
        ("3.9.0", "train_type", "lora"),
        ("4.2.0", "tuner_type", "lora"),
    ],
)
def test_a_release_has_its_own_defaults(release, flag, default):
    assert load_defaults(release)[flag] == default


@pytest.mark.parametrize(
    ("flags", "release", "telling"),
    [
        (["beta"], PINNED, None),
        (["train_type"], OLD, "train_type"),
        (["tuner_type"], PINNED, "tuner_type"),
        (["train_type", "target_parameters"], "4.0.0", "train_type"),
        (["train_type", "swanlab_lark_secret", "ld_alpha"], "3.11.0", "train_type"),
        (["tools_prompt"], "3.3.0", "tools_prompt"),
        (["wieght"], PINNED, None),
    ],
)
def test_the_release_is_the_one_that_has_all_the_flags(flags, release, telling):
    assert release_of({flag: [] for flag in flags}) == (release, telling)


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ("sft_type", "a flag of ms-swift 2: it is --tuner_type now; 3.x had --train_type"),
        ("model_id_or_path", "a flag of ms-swift 2: it is --model now"),
        ("target_parameters", "ms-swift has it from 3.8 on"),
        ("tools_prompt", "ms-swift 3.0 to 3.3 had it"),
        ("lerning_rate", "did you mean --learning_rate?"),
        ("reasoning_effort", ""),
    ],
)
def test_a_flag_that_a_release_does_not_have_is_hinted_at(flag, hint):
    assert hint_for(flag, OLD) == hint


def test_every_hint_for_ms_swift_2_names_a_flag_of_the_pinned_release():
    named = {
        flag: said.split()[2] for flag, said in load_knowledge()["of_ms_swift_2"].items() if said.startswith("it is")
    }
    assert [flag for flag, now in named.items() if now.strip(",;")[2:] not in load_dump(PINNED)] == []


@pytest.mark.parametrize(("text", "release"), [("3.9", "3.9.0"), ("3.9.2", "3.9.2"), ("4.6.0", "4.6.0")])
def test_a_release_may_be_named_without_its_last_number(text, release):
    assert read_release(text) == release


@pytest.mark.parametrize("text", ["2.6", "4.7.0", "new", "", "3", "3.9.x", "3.9.0.1"])
def test_a_release_whose_flags_are_not_known_is_refused(text):
    with pytest.raises(ValueError, match=r": not a release whose flags are known; write one of 3\.0 to 4\.6"):
        read_release(text)
