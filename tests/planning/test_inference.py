"""planning/inference.py: the hours of answers and scores."""

import json

import pytest

from pipeline.models.shape import PUBLISHED, PUBLISHED_120B
from pipeline.planning.gpus import find_gpu
from pipeline.planning.inference import (
    answer_seconds,
    list_analyses,
    list_inferences,
    plan_inference,
    score_seconds,
    token_seconds,
)
from tests.support.planned import same_pairs, settings
from tests.support.project import ROOT

H200, RTX_4090 = (find_gpu(name) for name in ("h200", "rtx-4090"))
MEASURED = json.loads((ROOT / "benchmarks/results/inference_speed.json").read_text(encoding="utf-8"))


def infer(packed: bool = False, pairs: int = 64, own: int = 0, **changed):
    """Return the inferences of a run: of its base, and of its tuned model."""
    weights = "as_published" if packed else "bfloat16"
    merge = {"format": "auto" if packed else "bfloat16"}
    sections = {"model": {"weights": weights}, "merge": merge, "infer": changed}
    return list_inferences(settings("gpt-oss-20b-one-gpu", **sections), same_pairs(8 * pairs), own)


@pytest.mark.parametrize("row", MEASURED[:2], ids=lambda row: f"{row['prompts_at_once']} at once")
def test_answers_take_what_they_took_on_one_h200_to_a_third(row):
    asked = infer(pairs=row["prompts"], max_batch_size=row["prompts_at_once"], max_new_tokens=64)[0]
    assert answer_seconds(PUBLISHED, asked, H200) == pytest.approx(row["seconds"], rel=1 / 3)


def test_where_memory_is_slow_a_token_takes_what_its_weights_take_to_move():
    asked = infer(packed=True)[0]
    moved = 24 * 32 * 3 * 2880**2 * (17 / 32 + 2) / (0.6 * 1008e9)  # all packed experts, for every token
    took = token_seconds(PUBLISHED, asked.flags, RTX_4090, prompts=1)
    assert moved < took < 1.3 * moved


def test_several_prompts_at_once_read_more_experts_and_dequantise_no_more():
    flags = infer(packed=True)[0].flags
    one, eight = (token_seconds(PUBLISHED_120B, flags, RTX_4090, prompts) for prompts in (1, 8))
    assert one < eight < 1.3 * one


def test_the_base_and_the_tuned_model_answer_every_prompt():
    asked = infer(pairs=10, own=5)
    assert [len(one.prompts.rows) for one in asked] == [10, 15]
    assert [len(one.pairs.rows) for one in asked] == [10, 10]
    several = infer(pairs=10, temperature=1, answers_per_prompt=3)
    assert [len(one.prompts.rows) for one in several] == [30, 30]


def test_analyses_are_answers_of_the_base_to_the_prompts_of_both_sides():
    asked = settings("gpt-oss-20b-one-gpu", data={"analyses": "base"})
    assert [len(one.prompts.rows) for one in list_analyses(asked, same_pairs(64))] == [64, 8]
    assert list_analyses(settings("gpt-oss-20b-one-gpu"), same_pairs(64)) == []


def test_points_of_a_sweep_share_the_analyses():
    sweep = {"grid": {"dpo.beta": [0.05, 0.1, 0.2]}}
    assert len(list_analyses(settings("tutorial", data={"analyses": "base"}, sweep=sweep), same_pairs(64))) == 2


def test_points_of_a_sweep_share_the_answers_of_the_base():
    asked = list_inferences(settings("tutorial", sweep={"grid": {"dpo.beta": [0.05, 0.1, 0.2]}}), same_pairs(64), 0)
    assert len(asked) == 1 + 3


@pytest.mark.parametrize(("gpus", "rounds"), [(1, 4), (2, 2), (4, 1), (8, 1)])
def test_shards_are_done_side_by_side_as_far_as_there_are_gpus(gpus, rounds):
    asked = list_inferences(settings("tutorial", train={"gpus": gpus}, infer={"shards": 4}), same_pairs(64), 0)
    assert asked[0].rounds == rounds


def test_scores_take_a_pass_over_the_pairs():
    short, long = (infer(pairs=n)[0] for n in (64, 256))
    assert score_seconds(PUBLISHED, long, H200) == pytest.approx(4 * score_seconds(PUBLISHED, short, H200))


@pytest.mark.parametrize(("weights", "fits"), [("as_published", True), ("bfloat16", False)])
def test_a_model_that_a_gpu_cannot_hold_has_no_hours_there(weights, fits):
    plan = plan_inference(PUBLISHED, settings("gpt-oss-20b-one-gpu", model={"weights": weights}), same_pairs(64), 0)
    assert ("rtx-4090" in plan["answers_seconds"]) is fits
    assert "h100" in plan["answers_seconds"]


def test_answers_of_vllm_are_not_estimated_and_scores_are():
    plan = plan_inference(PUBLISHED, settings("tutorial", infer={"backend": "vllm"}), same_pairs(64), 0)
    assert not plan["answers_seconds"]
    assert plan["scores_seconds"]
