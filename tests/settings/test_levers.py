"""settings/levers.py: levers of train.fast are refused where they would not train the same, with the fix."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.levers import NO_LEVER

ONE_GPU = load_config([Path("experiments/gpt-oss-20b-one-gpu.yaml")])


def test_the_overlay_for_one_gpu_can_be_used():
    assert find_problems(ONE_GPU) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"dpo": {"deepspeed": "zero3"}}, "dpo.deepspeed: with train.fast it must be null or zero2"),
        (
            {"dpo": {"attn_impl": "eager"}},
            "dpo.attn_impl: with train.fast it must be flex_attention, which reads its masks",
        ),
        ({"train": {"gpus": 0}}, "dpo.attn_impl: with train.fast it must be eager, which reads its masks"),
        (
            {"dpo": {"router_aux_loss_coef": 0.1}},
            "dpo.router_aux_loss_coef: with train.fast it must be 0: it counts a shared prompt once",
        ),
        (
            {"dpo": {"use_liger_kernel": True}},
            "dpo.use_liger_kernel: with train.fast it must be false: logits are for answers' tokens only",
        ),
        (
            {"train": {"fast": {"cached_reference": False}}},
            "train.fast.cached_reference: with train.fast it must be true: "
            "it runs the reference through the same kernels",
        ),
        (
            {"train": {"fast": {"packed_pairs": False}}},
            "train.fast.packed_pairs: with train.fast it must be true: layers are compiled for each length",
        ),
    ],
)
def test_a_setting_that_a_lever_does_not_go_with_is_named(changed: dict[str, Any], problem: str):
    assert find_problems(merge(ONE_GPU, changed)) == [problem]


def test_without_levers_every_setting_goes():
    levers = dict.fromkeys(ONE_GPU["train"]["fast"], False)
    plain = {"train": {"fast": levers}, "dpo": {"deepspeed": "zero3", "attn_impl": "eager"}}
    assert find_problems(merge(ONE_GPU, plain)) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"train": {"small": {"experts_at_once": 4}}},
            "train.fast.compiled_layers: with train.small.experts_at_once it must be false",
        ),
        (
            {"train": {"small": {"host_embeddings": True}, "fast": NO_LEVER}, "dpo": {"deepspeed": "zero3"}},
            "train.small.host_embeddings: needs whole weights; set dpo.deepspeed to null or zero2",
        ),
    ],
)
def test_a_setting_for_small_gpus_that_does_not_go_with_others_is_named(changed: dict[str, Any], problem: str):
    assert find_problems(merge(ONE_GPU, changed)) == [problem]
