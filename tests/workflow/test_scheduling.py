"""The order in which Snakemake starts the jobs that need GPUs: trainings first, answers beside and after."""

import pytest

from tests.support.both_engines import in_folder
from tests.support.project import ROOT

BEFORE = "infer_shard_before"


def list_rounds(experiment: str, gpus: int = 4) -> list[list[str]]:
    """Return the rules of the jobs that are started together on GPUs, round by round."""
    overlays = [f"experiments/{experiment}.yaml"]
    rounds: list[list[str]] = in_folder(ROOT, "tests.support.plans:list_rounds", overlays, gpus)
    return rounds


@pytest.mark.parametrize("experiment", ["gpt-oss-20b", "tutorial"])
def test_a_training_that_takes_all_gpus_is_first_and_answers_of_the_model_before_fill_those_that_merging_leaves(
    experiment,
):
    first, second, *_ = list_rounds(experiment)
    assert first == ["train_dpo"]
    assert second == [BEFORE, BEFORE, BEFORE, "merge_adapter"]


def test_sft_and_dpo_both_start_as_soon_as_they_can():
    first, second, third, *_ = list_rounds("gpt-oss-20b-sft")
    assert (first, third) == (["train_sft"], ["train_dpo"])
    assert "merge_sft" in second


def test_a_training_on_one_gpu_has_answers_of_the_model_before_beside_it():
    first, *_ = list_rounds("gpt-oss-20b-one-gpu", gpus=2)
    assert len(first) == 2
    assert "train_dpo" in first
