"""planning/disk.py: what a run leaves."""

import pytest

from pipeline.models.shape import PUBLISHED, PUBLISHED_120B, count_adapter, find_shape
from pipeline.planning.disk import (
    answers_bytes,
    checkpoint_bytes,
    count_checkpoints,
    model_bytes,
    packed_bytes,
    scores_bytes,
    training_disk,
)
from tests.support.planned import plan_dpo, same_pairs, settings


def test_a_checkpoint_of_the_tiny_model_is_as_large_as_it_was():
    config = settings("")
    assert checkpoint_bytes(find_shape(config["model"]), config["dpo"], 2) == pytest.approx(393_893, rel=0.1)


def test_the_tiny_model_is_as_large_as_its_file():
    assert model_bytes(find_shape(settings("")["model"])) == pytest.approx(4_168_336, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"num_train_epochs": 1.5}, 2),  # the second after half an epoch
        ({"num_train_epochs": 9}, 6),  # five are kept while the next is written
        ({"save_strategy": "steps", "save_steps": 8}, 3),  # at steps 8 and 16, and the last
        ({"save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}, 2),
    ],
)
def test_checkpoints_are_counted_as_they_are_kept(changes, count):
    training = plan_dpo(settings(dpo=changes), same_pairs(640))
    assert count_checkpoints(training.flags, training.load) == count


def test_the_adapter_takes_the_type_in_which_it_is_trained():
    training = plan_dpo(settings())
    left = training_disk(PUBLISHED, training.flags, training.load, 7)
    assert (left.adapter, left.merged) == (2 * count_adapter(PUBLISHED, training.flags), 7)


def test_the_published_model_takes_14_gb_packed_and_42_in_bfloat16():
    assert packed_bytes(PUBLISHED) == 13_761_264_768  # total_size in its index
    assert model_bytes(PUBLISHED) == 2 * PUBLISHED.parameters == 41_829_514_368


def test_the_published_120b_takes_65_gb_packed_and_234_in_bfloat16():
    assert packed_bytes(PUBLISHED_120B) == pytest.approx(65.25e9, rel=1e-3)  # 60.8 GiB on OpenAI's model card
    assert model_bytes(PUBLISHED_120B) == pytest.approx(233.7e9, rel=1e-3)


def test_scores_of_each_model_are_in_shards_and_side_by_side():
    assert scores_bytes(pairs=10, models=3) == 2 * 3 * 10 * 130


def test_answers_of_each_model_are_in_shards_in_one_file_and_side_by_side():
    answers = 10 * (100 * 4 + 80)
    expected = 2 * 2 * (1000 + answers) + 1000 + 2 * answers
    assert answers_bytes(prompts=10, prompt_bytes=1000, max_new_tokens=100, models=2) == expected
