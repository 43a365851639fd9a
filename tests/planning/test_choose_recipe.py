"""choose_recipe.py: the recipe for some GPUs and pairs, and what has to change so that it fits."""

import pytest

from pipeline.models.shape import PUBLISHED
from pipeline.planning.choose_recipe import EXPERIMENTS, choose_recipe
from pipeline.planning.find_cards import Cards, list_cards, name_cards
from pipeline.planning.gpus import GPUS
from pipeline.planning.tokens import PairTokens
from pipeline.planning.trainings import Pairs, list_trainings, needed_memory
from pipeline.settings.check import find_problems, load_config
from pipeline.settings.choices import apply_choices
from tools.document_hardware import ROWS

SHORT, LONG = [PairTokens(200, 400, 400)] * 64, [PairTokens(500, 3000, 2500)] * 64


def choose(gpu: str, count: int = 1, pairs: list[PairTokens] = SHORT) -> tuple[str, dict]:
    """Return the recipe for some GPUs, and the settings of the run."""
    recipe, choices = choose_recipe(name_cards(gpu, str(count)), pairs)
    return recipe, apply_choices(load_config([EXPERIMENTS / f"{recipe}.yaml"]), choices)


@pytest.mark.parametrize(
    ("gpu", "overlay"), [(gpu, row.overlay) for row in ROWS[:5] for gpu in row.gpus], ids=lambda value: value
)
def test_the_recipe_is_that_of_the_table_in_readme(gpu, overlay):
    assert choose(gpu)[0] == overlay


@pytest.mark.parametrize("pairs", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("gpu", [gpu for gpu in GPUS if gpu.name != "rtx-5080"], ids=lambda gpu: gpu.name)
def test_what_is_chosen_can_be_used_and_fits(gpu, pairs):
    _, config = choose(gpu.name, pairs=[*pairs, SHORT[0]])
    kept = [pair for pair in [*pairs, SHORT[0]] if max(pair) <= config["dpo"]["max_length"]]
    (training,) = list_trainings(config, Pairs(kept, kept[:1], []))
    assert find_problems(config) == []
    assert needed_memory(PUBLISHED, training) <= gpu.memory


@pytest.mark.parametrize(("count", "used"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (64, 32)])
@pytest.mark.parametrize("gpu", ["rtx-4090", "h20"])
def test_a_step_has_32_pairs_on_however_many_gpus(gpu, count, used):
    _, config = choose(gpu, count)
    dpo, gpus = config["dpo"], config["train"]["gpus"]
    assert (gpus, config["infer"]["shards"]) == (used, used)
    assert gpus * dpo["per_device_train_batch_size"] * dpo["gradient_accumulation_steps"] == 32


def test_four_h20_are_the_recommended_recipe_with_curves_offline():
    _, config = choose("h20", 4)
    recommended = load_config([EXPERIMENTS / "gpt-oss-20b.yaml"])
    assert config["dpo"] == recommended["dpo"]
    assert config["infer"] == recommended["infer"]


def test_longer_pairs_get_a_longer_max_length_and_checkpointing_where_they_need_it():
    dpo = choose("h100", pairs=LONG)[1]["dpo"]
    assert dpo["max_length"] == 3008
    assert dpo["gradient_checkpointing"] or dpo["per_device_train_batch_size"] < 8


def test_pairs_that_no_such_gpu_takes_are_refused_in_one_line():
    with pytest.raises(ValueError, match="every pair is longer than 1,024 tokens, the most for such a GPU"):
        choose("rtx-5080", pairs=LONG)


def test_a_card_that_is_too_small_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"no settings fit into 4.0 GiB; .* take a larger GPU"):
        choose_recipe(Cards("old", 4 << 30, 1), SHORT)


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Return a function that puts a program of this name first, which prints some lines."""

    def write(*lines: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines), encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return write


@pytest.mark.parametrize(
    ("lines", "cards"),
    [
        (["NVIDIA A100-SXM4-80GB, 81920"] * 4, Cards("a100-80gb", 81920 << 20, 4)),
        (["NVIDIA GeForce RTX 4090, 24564", "NVIDIA T400, 2048"], Cards("rtx-4090", 24564 << 20, 1)),
        (["NVIDIA RTX 5000 Ada Generation, 32760"], Cards("rtx-5000-ada-generation", 32760 << 20, 1)),
        (["No devices were found"], None),
    ],
    ids=str,
)
def test_the_gpus_of_this_machine_are_those_that_nvidia_smi_lists(nvidia_smi, lines, cards):
    nvidia_smi(*lines)
    assert list_cards() == cards


def test_a_machine_without_nvidia_smi_has_no_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list_cards() is None


def test_a_name_that_several_gpus_have_is_refused_with_the_names_that_are_known():
    with pytest.raises(ValueError, match=r"GPU=a100: not the name of one model; take one of .*a100-40gb.*a100-80gb"):
        name_cards("a100", "1")
