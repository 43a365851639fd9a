"""planning/recipes.py: the recipe that fits where the settings do not, and the one that is faster than they are."""

import json

import pytest
import yaml

from pipeline.models.shape import PUBLISHED, PUBLISHED_120B
from pipeline.planning import recipes
from pipeline.planning.gpus import GPUS
from pipeline.planning.recipes import list_recipes, plan_recipes
from tests.support.planned import same_pairs, settings
from tests.support.project import ROOT

SMALL = {"per_device_train_batch_size": 1, "gradient_checkpointing": True}
PACKED, PLAIN = {"weights": "as_published"}, {"weights": "bfloat16"}
PAIRS = same_pairs(64, 200, 400, 400)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of recipes, with a function that writes one: the one-GPU recipe with changes."""
    monkeypatch.setattr(recipes, "EXPERIMENTS", tmp_path)
    usual = yaml.safe_load((ROOT / "experiments/gpt-oss-20b-one-gpu.yaml").read_text(encoding="utf-8"))

    def write(name: str, **sections) -> None:
        changed = {section: usual[section] | sections.get(section, {}) for section in usual if section != "run"}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changed | {"run": name}), encoding="utf-8")

    return write


def plan(shape=PUBLISHED, needed: float = 60 * 2**30, pairs=PAIRS, **sections) -> dict:
    return plan_recipes(shape, settings("tutorial", **sections), pairs, needed)


def test_a_gpu_that_the_settings_do_not_fit_is_named_the_recipe_that_does(folder):
    folder("gpt-oss-large", model=PLAIN)
    folder("gpt-oss-small", model=PACKED, dpo=SMALL)
    found = plan()
    assert found["recipes"]["rtx-4090"] == "experiments/gpt-oss-small.yaml"
    assert found["fits"] == {gpu.name: gpu.memory > 60 * 2**30 for gpu in GPUS}
    assert set(found["recipes"]) == {name for name, fits in found["fits"].items() if not fits}


def test_of_several_that_fit_the_fastest_is_named(folder):
    folder("gpt-oss-checkpointing", model=PACKED, dpo=SMALL)
    folder("gpt-oss-packed", model=PACKED)
    assert plan()["recipes"]["a6000"] == "experiments/gpt-oss-packed.yaml"


def test_where_no_recipe_fits_none_is_named(folder):
    folder("gpt-oss-large", model=PLAIN)
    assert plan()["recipes"]["rtx-4090"] is None


@pytest.mark.parametrize(
    "changed",
    [
        {"train": {"gpus": 8}},  # more than the run has
        {"dpo": {"rlhf_type": "cpo"}},
        {"dpo": {"max_length": 399}},  # some pairs are longer
        {"model": {"folder": "models/gpt-oss-120b"}},  # of another model
    ],
    ids=json.dumps,
)
def test_a_recipe_for_something_else_is_not_tried(folder, changed):
    folder("gpt-oss-other", **changed)
    assert list(list_recipes(PUBLISHED, settings("tutorial"), PAIRS)) == []


def test_a_recipe_of_120b_is_tried_on_120b(folder):
    folder("gpt-oss-120b", model={"folder": "models/gpt-oss-120b"})
    config = settings("tutorial", model={"folder": "elsewhere/gpt-oss-120b"})
    (recipe,) = list_recipes(PUBLISHED_120B, config, PAIRS)
    assert recipe.name == "experiments/gpt-oss-120b.yaml"
    assert recipe.trainings[0].config["model"]["folder"] == "elsewhere/gpt-oss-120b"


def test_the_tutorial_on_four_h200_is_slower_than_the_one_gpu_recipe_by_what_was_measured(folder):
    folder("gpt-oss-one-gpu", model=PLAIN)
    faster = plan(train={"gpu_model": "h200"}, pairs=same_pairs(640, 200, 400, 400))["faster"]
    assert (faster["recipe"], faster["gpus"]) == ("experiments/gpt-oss-one-gpu.yaml", 1)
    assert faster["own_seconds"] / faster["seconds"] == pytest.approx(17_604 / 2_071, rel=0.2)


def test_a_faster_recipe_that_does_not_fit_with_pairs_as_long_as_it_allows_is_not_named(folder):
    train = {"gpu_model": "a6000"}
    folder("gpt-oss-short", model=PACKED, dpo={"max_length": 448})
    assert plan(train=train)["faster"]["recipe"] == "experiments/gpt-oss-short.yaml"
    folder("gpt-oss-short", model=PACKED, dpo={"max_length": 8192})
    assert plan(train=train)["faster"] is None


def test_a_recipe_is_not_faster_than_itself():
    config = settings("gpt-oss-20b-one-gpu")
    assert plan_recipes(PUBLISHED, config, PAIRS, 0)["faster"] is None
