"""The tutorial's training on four processes, as on its four GPUs; each other way of sharding the model learns the same.

The others run on two processes, which learn the same, too: a step has the same eight pairs, one at a time.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.tutorial_run import FLOAT32, build_model, read_rows, train_tutorial, tutorial_pairs, write_pairs

pytestmark = pytest.mark.ci("four processes that learn something else than one way of sharing")

PAIRS, A_STEP = 15, 8  # two steps; the last is filled with one pair once more
SETTINGS = FLOAT32 | {
    **{"lora_dropout": 0, "max_length": 512, "dataloader_num_workers": 0, "warmup_ratio": 0},
    "per_device_train_batch_size": 1,
}
REENTRANT = {"gradient_checkpointing_kwargs": {"use_reentrant": True}}
MODES: dict[str, tuple[int, dict[str, Any]]] = {
    "zero3": (4, {"deepspeed": "zero3"}),
    "zero3-reentrant": (2, {"deepspeed": "zero3", **REENTRANT}),
    "zero2": (2, {"deepspeed": "zero2"}),
    "data-parallel": (2, {"deepspeed": None}),
}
FIGURES = ("loss", "grad_norm", "rewards/margins", "logps/chosen", "logps/rejected", "nll_loss")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, Path]:
    """Return the results of one training in each mode."""
    folder = tmp_path_factory.mktemp("ranks")
    model = build_model(folder, 20)
    pairs = write_pairs(folder / "pairs.jsonl", tutorial_pairs()[:PAIRS])
    for mode, (ranks, changed) in MODES.items():
        sizes = {"gradient_accumulation_steps": A_STEP // ranks}
        train_tutorial(model, pairs, folder / mode, ranks, SETTINGS | sizes | changed)
    return {mode: folder / mode / "dpo" for mode in MODES}


@pytest.fixture(scope="module")
def curves(trained) -> dict[str, list[dict[str, Any]]]:
    """Return the curves of the training in each mode."""
    return {mode: read_rows(results / "curves.jsonl") for mode, results in trained.items()}


@pytest.mark.parametrize("mode", MODES)
def test_a_step_takes_the_pairs_of_all_ranks(curves, mode):
    assert [row["step"] for row in curves[mode]] == [1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_every_pair_is_trained_although_they_do_not_divide_among_the_ranks(trained, mode):
    gates = {row["gate"]: row for row in json.loads((trained[mode] / "gates.json").read_text(encoding="utf-8"))}
    assert (gates["rows_trained"]["value"], gates["rows_trained"]["passed"]) == (PAIRS, True)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "zero3"])
@pytest.mark.parametrize("figure", FIGURES)
def test_two_ranks_and_four_learn_the_same_whether_weights_are_shared_out_or_whole(curves, mode, figure):
    theirs, ours = ([row[figure] for row in curves[name]] for name in ("zero3", mode))
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
