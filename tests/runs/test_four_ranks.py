"""The tutorial's training on four processes, as on its four GPUs: each way of sharding the model learns the same."""

from typing import Any

import pytest

from tests.support.tutorial_run import FLOAT32, build_model, train_tutorial, tutorial_pairs, write_pairs

pytestmark = pytest.mark.ci("four processes that learn something else than one way of sharing")

RANKS, PAIRS = 4, 64  # two steps of the tutorial's 32 pairs
SETTINGS = FLOAT32 | {"lora_dropout": 0, "max_length": 512, "dataloader_num_workers": 0, "warmup_ratio": 0}
REENTRANT = {"gradient_checkpointing_kwargs": {"use_reentrant": True}}
MODES: dict[str, dict[str, Any]] = {
    "zero3": {"deepspeed": "zero3"},
    "zero3, reentrant": {"deepspeed": "zero3", **REENTRANT},
    "zero2": {"deepspeed": "zero2"},
    "data parallel": {"deepspeed": None},
}
FIGURES = ("loss", "grad_norm", "rewards/margins", "logps/chosen", "logps/rejected", "nll_loss")


@pytest.fixture(scope="module")
def curves(tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    """Return the curves of one training in each mode."""
    folder = tmp_path_factory.mktemp("ranks")
    model = build_model(folder, 20)
    pairs = write_pairs(folder / "pairs.jsonl", tutorial_pairs()[:PAIRS])
    return {
        mode: train_tutorial(
            model, pairs, folder / mode.replace(", ", "-").replace(" ", "-"), RANKS, SETTINGS | changed
        )
        for mode, changed in MODES.items()
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_step_takes_the_pairs_of_all_four_ranks(curves, mode):
    assert [row["step"] for row in curves[mode]] == [1, 2]


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "zero3"])
@pytest.mark.parametrize("figure", FIGURES)
def test_four_ranks_learn_the_same_whether_weights_are_shared_out_or_whole(curves, mode, figure):
    theirs, ours = ([row[figure] for row in curves[name]] for name in ("zero3", mode))
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
