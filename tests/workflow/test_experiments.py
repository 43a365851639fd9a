"""The experiments: how recipes differ, that they fit into their GPUs, and that random weights have the true shapes."""

from dataclasses import replace

import pytest

from pipeline.models.shape import PUBLISHED, PUBLISHED_120B, find_shape
from pipeline.planning.gpus import find_gpu
from pipeline.planning.inference import plan_inference
from pipeline.planning.load import make_load
from pipeline.planning.trainings import Pairs, needed_memory
from pipeline.report.facts import flatten
from tests.support.planned import plan_dpo, same_pairs, settings
from tests.support.project import ROOT

RECIPES = ["gpt-oss-20b", "gpt-oss-20b-sft", "gpt-oss-20b-one-gpu", "gpt-oss-20b-24gb", "gpt-oss-120b"]
PROMPT = 70  # tokens of harmony's system message and of a short question


def differing(one: str, other: str) -> set[str]:
    """Return the settings in which two experiments differ."""
    first, second = (dict(flatten(settings(name))) for name in (one, other))
    return {key for key in first if first[key] != second[key]}


def test_the_recipe_with_sft_is_the_recipe_with_sft():
    assert {key.partition(".")[0] for key in differing("gpt-oss-20b", "gpt-oss-20b-sft")} == {"run", "sft"}


def test_the_recipe_for_one_gpu_is_the_recipe_on_one_gpu():
    machine = {"train.gpus", "train.gpu_model", "dpo.gradient_accumulation_steps", "infer.shards", "tracking.mode"}
    assert differing("gpt-oss-20b", "gpt-oss-20b-one-gpu") == {"run"} | machine


def test_the_recipe_of_120b_is_that_of_20b_with_another_batch_length_and_checkpointing():
    size = {f"dpo.per_device_{name}_batch_size" for name in ("train", "eval")}
    size |= {"dpo.gradient_accumulation_steps", "dpo.max_length"}
    size |= {"dpo.gradient_checkpointing", "dpo.gradient_checkpointing_kwargs"}
    assert differing("gpt-oss-20b-one-gpu", "gpt-oss-120b") == {"run", "model.folder"} | size


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_answers_are_dealt_to_as_many_gpus_as_the_training_has(path):
    config = settings(path.stem)
    assert config["infer"]["shards"] * config["infer"]["gpus"] == config["train"]["gpus"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_answers_of_a_recipe_take_three_hours_at_most_however_many_pairs_there_are(recipe):
    config = settings(recipe)
    pairs = same_pairs(config["data"]["val_max"], PROMPT, 400, 400).train
    answers = plan_inference(find_shape(config["model"]), config, Pairs(pairs, pairs, []), own=0)["answers_seconds"]
    assert answers[config["train"]["gpu_model"]] < 3 * 3600


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_learns_from_32_pairs_a_step(recipe):
    config = settings(recipe)
    load = make_load((), config["train"]["gpus"], config["dpo"])
    assert load.rows_per_step == 32


@pytest.mark.parametrize("recipe", RECIPES)
def test_pairs_as_long_as_a_recipe_allows_fit_into_its_gpu(recipe):
    config = settings(recipe)
    length = config["dpo"]["max_length"]
    training = plan_dpo(config, same_pairs(64, PROMPT, length, length))
    shape = find_shape(config["model"])
    assert needed_memory(shape, training) <= find_gpu(config["train"]["gpu_model"]).memory


@pytest.mark.parametrize(("experiment", "shape"), [("random-20b", PUBLISHED), ("random-120b", PUBLISHED_120B)])
def test_random_weights_have_the_published_shape(experiment, shape):
    assert replace(find_shape(settings(experiment)["model"]), source=shape.source) == shape
