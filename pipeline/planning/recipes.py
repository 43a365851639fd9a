"""Try the recipes of experiments/ on the model and the pairs of a plan: which fits into a GPU, and which is faster."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.models.shape import Shape, find_shape
from pipeline.planning.gpus import GPUS, Gpu, find_gpu
from pipeline.planning.hours import training_seconds
from pipeline.planning.trainings import Pairs, Training, list_trainings, needed_memory
from pipeline.settings.check import load_config, merge

Settings = dict[str, Any]

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RECIPES = "gpt-oss-*.yaml"
FASTER = 1.2  # a recipe that is faster by less than this is not worth a line


@dataclass(frozen=True)
class Recipe:
    """A recipe on the pairs of a plan."""

    name: str
    gpus: int
    trainings: list[Training]
    needed: float  # bytes of a GPU
    longest: int  # tokens of a pair that its dpo.max_length allows
    needed_at_longest: float  # bytes of a GPU, were the longest pairs so long


def count_gpus(config: Settings) -> int:
    """Return the number of GPUs of a training."""
    return int(config["train"]["nodes"] * config["train"]["gpus"])


def list_recipes(shape: Shape, config: Settings, pairs: Pairs) -> Iterator[Recipe]:
    """Yield the recipes that train such a model as this run does, on its pairs, epochs and GPUs, or on fewer."""
    for path in sorted(EXPERIMENTS.glob(RECIPES)):
        own = load_config([path])
        same = {"model": {"folder": config["model"]["folder"]}}
        recipe = merge(own, same | {"dpo": {"num_train_epochs": config["dpo"]["num_train_epochs"]}})
        trainings = list_trainings(recipe, pairs)
        if is_alike(recipe, config, trainings) and has_shape(own, shape) and count_gpus(own) <= count_gpus(config):
            longest = recipe["dpo"]["max_length"]
            needed = [max(needed_memory(shape, one, length) for one in trainings) for length in (None, longest)]
            yield Recipe(f"experiments/{path.name}", count_gpus(own), trainings, needed[0], longest, needed[1])


def has_shape(recipe: Settings, shape: Shape) -> bool:
    """Return whether a recipe is for a model of this shape; if its folder cannot be read, it is not."""
    try:
        return replace(find_shape(recipe["model"]), source=shape.source) == shape
    except ValueError:
        return False


def is_alike(recipe: Settings, config: Settings, trainings: list[Training]) -> bool:
    """Return whether a recipe has the loss and the stages of this run, and takes pairs as long as its own."""
    longest = max(training.load.longest for training in trainings)
    loss = recipe["dpo"]["rlhf_type"] == config["dpo"]["rlhf_type"]
    stages = recipe["sft"]["enabled"] == config["sft"]["enabled"]
    return bool(loss and stages and longest <= recipe["dpo"]["max_length"] and recipe["train"]["gpus"])


def sum_seconds(shape: Shape, trainings: list[Training], gpu: Gpu) -> float:
    """Return the seconds of trainings, without held-out rows, which not all of them measure."""
    return sum(training_seconds(shape, training.flags, gpu, training.load, None) for training in trainings)


def find_fastest(shape: Shape, recipes: list[Recipe], gpu: Gpu) -> Recipe | None:
    """Return the recipe that fits into a GPU and is the fastest there; None if none fits."""
    fitting = [recipe for recipe in recipes if recipe.needed <= gpu.memory]
    return min(fitting, key=lambda recipe: sum_seconds(shape, recipe.trainings, gpu), default=None)


def plan_recipes(shape: Shape, config: Settings, pairs: Pairs, needed: float) -> dict[str, Any]:
    """Return the recipe for each GPU that the settings do not fit into, and the one that is faster than they are.

    The faster one is for pairs to come, too: it fits with pairs as long as it allows.
    """
    recipes = list(list_recipes(shape, config, pairs))
    fastest = {gpu.name: find_fastest(shape, recipes, gpu) for gpu in GPUS}
    fits = {gpu.name: needed <= gpu.memory for gpu in GPUS}
    plan: dict[str, Any] = {
        "fits": fits,
        "recipes": {name: recipe.name if recipe else None for name, recipe in fastest.items() if not fits[name]},
        "faster": None,
    }
    gpu = find_gpu(config["train"]["gpu_model"])
    whole = [recipe for recipe in recipes if gpu and recipe.needed_at_longest <= gpu.memory]
    if not gpu or not (recipe := find_fastest(shape, whole, gpu)):
        return plan
    trainings = list_trainings(config | {"sweep": None}, pairs)
    took = {"seconds": sum_seconds(shape, recipe.trainings, gpu), "own_seconds": sum_seconds(shape, trainings, gpu)}
    if took["own_seconds"] > FASTER * took["seconds"]:
        plan["faster"] = {"recipe": recipe.name, "gpus": recipe.gpus, "longest": recipe.longest, **took}
    return plan
