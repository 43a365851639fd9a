"""Memory and time on one, two and four GPUs, against what was measured on H200 (measure_training_speed.py)."""

import json
from typing import Any, NamedTuple

import pytest

from pipeline.models.shape import PUBLISHED
from pipeline.planning.batch_memory import largest_batch
from pipeline.planning.gpus import GIB, find_gpu
from pipeline.planning.hours import step_seconds
from pipeline.planning.memory import estimate_memory
from tests.support.planned import plan_dpo, same_pairs, settings
from tests.support.project import ROOT

MEASURED = {
    row["name"]: row
    for row in json.loads((ROOT / "benchmarks/results/training_speed.json").read_text(encoding="utf-8"))
    if row["machine"] == "NVIDIA H200"
}
REENTRANT = {"gradient_checkpointing_kwargs": None}
SHARED = {"gradient_checkpointing_kwargs": {"use_reentrant": False}}


class Case(NamedTuple):
    """A row of the benchmark: its GPUs, and what it changes in the tutorial's settings."""

    gpus: int
    changed: dict[str, Any]


CASES = {
    "the tutorial's flags": Case(1, {}),
    "ZeRO-3, 2 GPUs": Case(2, SHARED),
    "ZeRO-3, reentrant, 2 GPUs": Case(2, {}),
    "ZeRO-3, reentrant, 4 GPUs": Case(4, {}),
    "ZeRO-2": Case(1, {"deepspeed": "zero2"}),
    "ZeRO-2, 2 GPUs": Case(2, {"deepspeed": "zero2"}),
    "ZeRO-2, 4 GPUs": Case(4, {"deepspeed": "zero2"}),
    "without DeepSpeed": Case(1, {"deepspeed": None}),
    "data parallel, 2 GPUs": Case(2, {"deepspeed": None}),
    "data parallel, 4 GPUs": Case(4, {"deepspeed": None}),
    "recipe without levers, ZeRO-3, 2 GPUs": Case(
        2,
        {
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 1,
            "gradient_checkpointing": False,
            "experts_impl": "grouped_mm",
        },
    ),
}


def plan(case: Case):
    """Return the plan of a row: five steps of pairs of 2 x 400 tokens, half of them the prompt's."""
    changed = {"rpo_alpha": None, "lora_dropout": 0, **REENTRANT, **case.changed}
    asked = settings("tutorial", train={"gpus": case.gpus, "gpu_model": "h200"}, dpo=changed)
    return plan_dpo(asked, same_pairs(40 * case.gpus, 200, 400, 400))


@pytest.mark.parametrize("name", CASES)
def test_memory_is_estimated_to_a_tenth(name):
    planned = plan(CASES[name])
    memory = estimate_memory(PUBLISHED, planned.flags, largest_batch(planned.load), CASES[name].gpus)
    assert (memory.total - memory.overhead) / GIB == pytest.approx(MEASURED[name]["peak_gib"], rel=0.1)


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_estimated_to_an_eighth(name):
    planned, gpu = plan(CASES[name]), find_gpu("h200")
    assert gpu
    seconds = step_seconds(PUBLISHED, planned.flags, gpu, planned.load)
    assert seconds == pytest.approx(MEASURED[name]["seconds_per_step"], rel=1 / 8)


def test_without_reentrant_checkpointing_zero3_holds_a_share_of_the_layers_only():
    four = Case(4, SHARED)
    held, shared = (
        estimate_memory(PUBLISHED, planned.flags, largest_batch(planned.load), 4).total
        for planned in (plan(CASES["ZeRO-3, reentrant, 4 GPUs"]), plan(four))
    )
    assert (held - shared) / GIB == pytest.approx(35, abs=0.5)
