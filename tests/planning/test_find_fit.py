"""find_fit.py: settings that fit where those that were asked for do not."""

import math

import pytest

from pipeline.models.shape import PUBLISHED
from pipeline.planning.find_fit import apply, find_fit, list_options, longest_fit
from pipeline.planning.gpus import GIB, H100, find_gpu
from pipeline.planning.trainings import list_trainings, needed_memory
from pipeline.settings.check import find_problems
from tests.support.planned import EXPERTS, ONE_H100, plan_dpo, same_pairs, settings


def training(length: int = 390, gpus: int = 1, prompt: int = 90, **dpo):
    """Return a training on H100s of pairs of one length."""
    config = settings("tutorial", train={"gpus": gpus, "gpu_model": "h100"}, dpo=ONE_H100["dpo"] | dpo)
    return plan_dpo(config, same_pairs(64, prompt, length, length))


CASES = {
    "a large batch": ({"per_device_train_batch_size": 32}, {"per_device_train_batch_size"}),
    "a batch of many held-out pairs": (
        {"per_device_eval_batch_size": 64, "eval_strategy": "epoch"},
        {"per_device_eval_batch_size"},
    ),
    "a batch of one without checkpointing": (
        {"length": 3000, "per_device_train_batch_size": 1, "gradient_checkpointing": False},
        {"gradient_checkpointing"},
    ),
    "experts without checkpointing": (
        {"target_parameters": EXPERTS, "gradient_checkpointing": False, "per_device_train_batch_size": 1},
        {"gradient_checkpointing"},
    ),
    "weights that want sharding": ({"gpus": 4, "torch_dtype": "float32"}, {"deepspeed"}),
    "copies of the experts' weights": ({"experts_impl": "batched_mm"}, {"experts_impl"}),
    "a score matrix": (
        {"length": 8192, "prompt": 7900, "per_device_train_batch_size": 1},
        {"attn_impl"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_fixed_where_it_is_too_large_and_then_fits(name):
    changes, fixed = CASES[name]
    asked = training(**changes)
    assert needed_memory(PUBLISHED, asked) > H100.memory
    fit = find_fit(PUBLISHED, asked, H100.memory)
    assert fit and {key.partition(".")[2] for key in fit.changes} - {"gradient_accumulation_steps"} == fixed
    assert needed_memory(PUBLISHED, apply(asked, fit.changes)) == fit.memory <= H100.memory


def test_a_smaller_batch_is_the_largest_that_fits_and_makes_the_same_step():
    asked = training(per_device_train_batch_size=32, gradient_accumulation_steps=1)
    fit = find_fit(PUBLISHED, asked, H100.memory)
    assert fit and fit.changes == {"dpo.per_device_train_batch_size": 16, "dpo.gradient_accumulation_steps": 2}
    assert apply(asked, fit.changes).load.rows_per_step == asked.load.rows_per_step
    assert apply(asked, fit.changes).load.steps == asked.load.steps


@pytest.mark.parametrize("recipe", ["gpt-oss-20b-24gb", "gpt-oss-20b-one-gpu"])
def test_on_16_gb_packed_experts_are_dequantised_a_few_at_a_time(recipe):
    asked = plan_dpo(settings(recipe), same_pairs(64, 90, 1024, 1024))
    memory = find_gpu("rtx-5080").memory
    fit = find_fit(PUBLISHED, asked, memory)
    assert fit and fit.changes["train.small"] == {"experts_at_once": 4, "host_embeddings": True}
    assert "dpo.max_length" not in fit.changes
    changed = apply(asked, fit.changes)
    assert needed_memory(PUBLISHED, changed) == fit.memory <= memory
    assert find_problems(changed.config) == []


@pytest.mark.parametrize("weights", ["bfloat16", "as_published"])
def test_train_small_is_proposed_for_packed_experts_and_never_with_zero3(weights):
    asked = plan_dpo(settings("tutorial", model={"weights": weights}, dpo={"deepspeed": "zero2"}))
    small = [changes for _, changes in list_options(asked) if "train.small" in changes]
    assert bool(small) is (weights == "as_published")
    assert [changes for changes in small if changes.get("dpo.deepspeed") == "zero3"] == []


def test_a_shorter_length_is_the_last_resort_and_fits():
    asked = training(length=60_000)
    fit = find_fit(PUBLISHED, asked, H100.memory)
    assert fit and fit.changes["dpo.max_length"] < 60_000
    shorter = apply(training(length=fit.changes["dpo.max_length"]), fit.changes)
    assert needed_memory(PUBLISHED, shorter) <= H100.memory


def test_where_the_weights_alone_are_too_large_nothing_fits():
    assert find_fit(PUBLISHED, training(torch_dtype="float32"), 40 * GIB) is None


def test_what_is_proposed_goes_with_the_levers():
    spread = plan_dpo(settings("gpt-oss-20b-one-gpu", train={"gpus": 4}), same_pairs(64))
    assert {changes.get("dpo.deepspeed") for _, changes in list_options(spread)} == {None, "zero2"}
    large = plan_dpo(settings("gpt-oss-20b-one-gpu", dpo={"per_device_train_batch_size": 64}), same_pairs(640))
    fit = find_fit(PUBLISHED, large, H100.memory)
    assert fit and not find_problems(apply(large, fit.changes).config)


def test_the_longest_sequence_fits_and_one_of_64_tokens_more_does_not():
    asked = training()
    longest = longest_fit(PUBLISHED, asked, H100.memory)
    assert longest % 64 == 0
    assert needed_memory(PUBLISHED, asked, longest) <= H100.memory < needed_memory(PUBLISHED, asked, longest + 64)


def test_where_nothing_fits_the_longest_sequence_has_no_tokens():
    assert longest_fit(PUBLISHED, training(), 10 * GIB) == 0


def test_the_batch_of_the_sft_is_its_own():
    config = settings("gpt-oss-20b-sft", sft={"per_device_train_batch_size": 512})
    sft = list_trainings(config, same_pairs(64))[0]
    fit = find_fit(PUBLISHED, sft, H100.memory)
    assert fit and "sft.per_device_train_batch_size" in fit.changes
    assert math.prod(fit.changes[key] for key in fit.changes if key.startswith("sft.")) == 512 * 8
