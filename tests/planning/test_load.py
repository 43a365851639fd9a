"""planning/load.py: steps and tokens of a training."""

from dataclasses import replace

import pytest

from pipeline.planning.load import count_evaluations, count_passes
from pipeline.planning.tokens import PairTokens
from pipeline.planning.trainings import Pairs, list_trainings
from tests.support.planned import plan_dpo, same_pairs, settings


def test_the_tutorials_640_pairs_are_its_20_steps():
    load = plan_dpo(settings(), same_pairs(640)).load
    assert (load.rows_per_step, load.steps_per_epoch, load.steps) == (32, 20, 20)


def test_the_default_run_has_the_60_steps_that_its_checkpoints_say():
    load = plan_dpo(settings(""), same_pairs(640)).load  # checkpoint-20, -40 and -60
    assert (load.steps_per_epoch, load.steps) == (20, 60)


@pytest.mark.parametrize(("pairs", "steps"), [(609, 20), (608, 19), (33, 2), (1, 1)])
def test_a_step_that_is_not_full_is_a_step(pairs, steps):
    assert plan_dpo(settings(), same_pairs(pairs)).load.steps == steps


@pytest.mark.parametrize(("epochs", "steps"), [(0.51, 11), (1.5, 30), (1.51, 31)])
def test_a_part_of_an_epoch_is_rounded_up_to_a_step(epochs, steps):
    assert plan_dpo(settings(dpo={"num_train_epochs": epochs}), same_pairs(640)).load.steps == steps


def test_tokens_are_those_of_both_answers():
    load = plan_dpo(settings(), Pairs([PairTokens(5, 10, 20)] * 3, [], [])).load
    assert (load.tokens, load.longest) == (90, 20)


def test_padding_is_counted_up_to_the_longest_of_a_batch():
    load = plan_dpo(settings(), Pairs([PairTokens(5, 10, 20)] * 8, [], [])).load
    assert load.padded_length == 20
    assert load.padded_tokens == 8 * 2 * 20


def test_a_file_that_is_sorted_by_length_is_padded_as_a_shuffled_one():
    pairs = [PairTokens(5, length, length) for length in range(100, 740)]
    assert plan_dpo(settings(), Pairs(pairs, [], [])).load.padded_length > sum(range(100, 740)) / 640 + 50


def test_kto_has_two_rows_a_pair():
    config = settings(dpo={"rlhf_type": "kto", "loss_type": "kto"})
    assert plan_dpo(config, same_pairs(640)).load.steps == 40


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, 4),  # policy, reference, once more for checkpointing, backward
        ({"gradient_checkpointing": False}, 3),
        ({"rlhf_type": "simpo"}, 3),
        ({"rlhf_type": "kto"}, 6),
    ],
)
def test_a_batch_goes_through_the_model_as_often_as_the_training_wants(changes, passes):
    assert count_passes(settings()["dpo"] | changes) == passes


@pytest.mark.parametrize(("epochs", "times"), [(1, 2), (1.5, 3), (2, 3)])
def test_held_out_rows_are_measured_at_the_start_and_after_each_epoch(epochs, times):
    assert count_evaluations(settings("gpt-oss-20b")["dpo"] | {"num_train_epochs": epochs}) == times


def test_held_out_rows_are_not_measured_where_nobody_asks():
    assert count_evaluations(settings()["dpo"]) == 0


def test_sft_is_a_training_before_dpo_with_its_own_batches():
    sft, dpo = list_trainings(settings("gpt-oss-20b-sft"), same_pairs(640))
    assert (sft.section, dpo.section) == ("sft", "dpo")
    assert (sft.load.sequences, dpo.load.sequences) == (1, 16)
    assert count_passes(sft.flags) == 2


def test_points_of_a_sweep_are_trainings_and_answers_alone_are_not():
    grid = {"dpo.beta": [0.05, 0.2], "dpo.per_device_train_batch_size": [1, 2], "infer.temperature": [0, 1]}
    trainings = list_trainings(settings(sweep={"grid": grid}), same_pairs(640))
    assert sorted(training.load.batch for training in trainings) == [1, 1, 2, 2]


def test_another_batch_of_a_load_is_other_steps():
    assert replace(plan_dpo(settings()).load, batch=1).steps == 40
