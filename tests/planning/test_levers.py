"""Memory and time with the levers of train.fast, against what was measured on one H100 (measure_training_speed.py)."""

import json
from typing import NamedTuple

import pytest

from pipeline.models.shape import PUBLISHED
from pipeline.planning.batch_memory import largest_batch
from pipeline.planning.gpus import GIB, H100
from pipeline.planning.hours import batch_seconds, training_seconds
from pipeline.planning.memory import estimate_memory
from pipeline.settings.levers import NO_LEVER
from tests.support.planned import plan_dpo, same_pairs, settings
from tests.support.project import ROOT

MEASURED = {
    row["name"]: row
    for row in json.loads((ROOT / "benchmarks/results/training_speed.json").read_text(encoding="utf-8"))
    if row["machine"].startswith("NVIDIA H100")
}


class Case(NamedTuple):
    """What a row of the benchmark trains on, and the passes of a step."""

    pairs: int
    length: int
    checkpointing: bool
    passes: int


CASES = {
    "recipe, reference in the step": Case(8, 400, False, 3),
    "recipe, reference kept": Case(8, 400, False, 2),
    "recipe, 2 x 8192": Case(2, 8192, True, 4),
}


def plan(case: Case, **dpo):
    """Return the plan of a row: half of each sequence is the prompt's."""
    changed = {"per_device_train_batch_size": case.pairs, "gradient_checkpointing": case.checkpointing} | dpo
    pairs = same_pairs(8 * case.pairs, case.length // 2, case.length, case.length)
    return plan_dpo(settings("gpt-oss-20b-one-gpu", model={"weights": "bfloat16"}, dpo=changed), pairs)


@pytest.mark.parametrize("name", CASES)
def test_memory_is_estimated_to_a_thirtieth(name):
    planned = plan(CASES[name])
    memory = estimate_memory(PUBLISHED, planned.flags, largest_batch(planned.load), 1)
    assert (memory.total - memory.overhead) / GIB == pytest.approx(MEASURED[name]["peak_gib"], rel=1 / 30)


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_estimated_to_a_twentieth(name):
    case = CASES[name]
    planned = plan(case)
    tokens = planned.load.batch_tokens
    seconds = batch_seconds(PUBLISHED, planned.flags, H100, tokens, case.length, case.passes)
    assert seconds == pytest.approx(MEASURED[name]["seconds_per_step"], rel=0.05)


def test_later_epochs_have_no_pass_of_the_reference():
    case = CASES["recipe, reference kept"]
    one, two = (plan(case, num_train_epochs=epochs, eval_strategy="no", eval_on_start=False) for epochs in (1, 2))
    first = training_seconds(PUBLISHED, one.flags, H100, one.load, None)
    both = training_seconds(PUBLISHED, two.flags, H100, two.load, None)
    assert both - first == pytest.approx(first * 2 / 3)


def test_a_prompt_counts_once_and_rows_are_filled_up_to_few_lengths():
    assert plan(Case(8, 400, False, 3)).load.batch_tokens == 5120  # 8 x (200 + 200 + 200), to the next of few lengths
    plain = plan_dpo(settings("gpt-oss-20b-one-gpu", train={"fast": NO_LEVER}), same_pairs(64, 200, 400, 400))
    assert plain.load.batch_tokens == 8 * 2 * 400
