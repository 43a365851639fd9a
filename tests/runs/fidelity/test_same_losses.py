"""The tutorial's command under ms-swift 3.7.0 against experiments/tutorial.yaml under the pinned release.

Both train the same very small model on the same 640 pairs: four processes under ZeRO-3, 32 pairs a step, 20 steps, each
of them logged. docs/fidelity.md says what is compared, and why what differs does. Each run takes some minutes on two
cores. Left out of the command is what LEFT_OUT in both_releases.py names. The gates that keep a CPU from training in
bfloat16 under ZeRO-3 are lifted for both by plugins/cpu_zero3.py.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.swift_commands.read_command import read_command
from tests.runs.fidelity.both_releases import (
    LEFT_OUT,
    OLD,
    PINNED,
    PROCESSES,
    copy_for_old_release,
    trace,
    train_as_written,
)
from tests.support.tutorial_run import FLOAT32, build_model, train_tutorial, tutorial_pairs, write_pairs
from tests.swift_commands.test_explain_command import TUTORIAL

pytestmark = pytest.mark.nightly("the tutorial's own ms-swift does not change, and the pinned one with its lock alone")

PAIRS = tutorial_pairs()
# The pairs lie in the file in the order in which 3.7.0 takes them.
AS_THEY_LIE = {"dataset_shuffle": False, "train_dataloader_shuffle": False}
ROUNDING = 1 / 64  # bfloat16's step between 2 and 4, where the losses of this model are
PLAIN = FLOAT32 | {"dataloader_num_workers": 0}  # workers change the speed alone
FIGURES = ("loss", "nll_loss", "grad_norm", "learning_rate", "rewards/margins", "rewards/chosen", "rewards/rejected")
FIGURES += ("rewards/accuracies", "logps/chosen", "logps/rejected")

Curves = list[dict[str, Any]]


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Return a folder with the model, its copy for 3.7.0, and the pairs."""
    folder = tmp_path_factory.mktemp("fidelity")
    copy_for_old_release(build_model(folder, training_steps=40), folder / "old-model")
    write_pairs(folder / "pairs.jsonl", PAIRS)
    return folder


@pytest.fixture(scope="module")
def old_trace(work) -> dict[str, Any]:
    return trace(OLD, work / "old-model", work / "pairs.jsonl", work / "old.json")


@pytest.fixture(scope="module")
def new_trace(work) -> dict[str, Any]:
    return trace(PINNED, work / "model", work / "pairs.jsonl", work / "new.json")


@pytest.fixture(scope="module")
def ordered(work, old_trace) -> Path:
    """Return a file from which the pinned release, unshuffled, gives each process the pairs that 3.7.0 gave it."""
    rounds = zip(*old_trace["order"], strict=True)  # the pinned release deals out the rows one by one
    return write_pairs(work / "ordered.jsonl", [PAIRS[place] for dealt in rounds for place in dealt])


@pytest.fixture(scope="module")
def old_float32(work) -> Curves:
    return train_as_written(work / "old-model", work / "pairs.jsonl", work / "old-float32", PLAIN)


@pytest.fixture(scope="module")
def new_float32(work, ordered) -> Curves:
    return train_tutorial(work / "model", ordered, work / "float32", PROCESSES, PLAIN | AS_THEY_LIE)


@pytest.fixture(scope="module")
def new_bfloat16(work, ordered) -> Curves:
    return train_tutorial(work / "model", ordered, work / "bfloat16", PROCESSES, AS_THEY_LIE)


@pytest.fixture(scope="module")
def old_bfloat16(work) -> Curves:
    return train_as_written(work / "old-model", work / "pairs.jsonl", work / "old-bfloat16", {})


def widest(old: Curves, new: Curves, figure: str) -> float:
    """Return by how much a figure differs in the step in which it differs most, and print it."""
    assert len(old) == len(new) == 20
    found = max(abs(a[figure] - b[figure]) for a, b in zip(old, new, strict=True))
    print(f"{figure}: up to {found:.3g} apart")
    return found


def test_what_is_left_out_is_in_the_command():
    assert set(LEFT_OUT) <= set(read_command(TUTORIAL).flags)


def test_both_releases_make_the_same_tokens_and_labels_of_every_pair(old_trace, new_trace):
    assert old_trace["tokens"] == new_trace["tokens"]


@pytest.mark.parametrize(("release", "draw"), [("old_trace", 0), ("new_trace", 1)])
def test_the_pinned_release_shuffles_with_the_second_number_of_the_seed(request, release, draw):
    numbers = np.random.RandomState(42)
    drawn = [numbers.randint(0, np.iinfo(np.int32).max) for _ in range(2)]
    shuffled = np.random.default_rng(drawn[draw]).permutation(len(PAIRS)).tolist()
    assert request.getfixturevalue(release)["shuffled"] == shuffled


def test_the_old_release_deals_out_blocks_and_the_pinned_one_row_by_row(old_trace, new_trace):
    blocks = [place for block in old_trace["order"] for place in block]
    by_rows = [place for dealt in zip(*new_trace["order"], strict=True) for place in dealt]
    # Once that is taken into account, both take the rows of their shuffled data sets in the same order.
    old, new = old_trace["shuffled"], new_trace["shuffled"]
    assert [old.index(place) for place in blocks] == [new.index(place) for place in by_rows]


def test_in_float32_and_the_same_order_every_figure_of_every_step_is_the_same(old_float32, new_float32):
    assert max(widest(old_float32, new_float32, figure) for figure in FIGURES) <= 1e-6


def test_as_written_in_bfloat16_the_losses_are_the_same_to_its_rounding(old_bfloat16, new_bfloat16):
    assert widest(old_bfloat16, new_bfloat16, "learning_rate") == 0
    assert widest(old_bfloat16, new_bfloat16, "loss") <= ROUNDING
    assert widest(old_bfloat16, new_bfloat16, "nll_loss") <= ROUNDING


def test_reward_accuracies_in_bfloat16_are_those_of_float32_here_and_were_not_there(
    old_float32, old_bfloat16, new_bfloat16
):
    assert widest(old_float32, new_bfloat16, "rewards/accuracies") <= 1 / 32  # one pair of a step
    assert widest(old_float32, old_bfloat16, "rewards/accuracies") > 0.5


def test_in_its_own_order_the_steps_are_of_other_pairs_and_the_epoch_is_of_the_same(work, old_float32):
    new = train_tutorial(work / "model", work / "pairs.jsonl", work / "own-order", PROCESSES, PLAIN)
    assert widest(old_float32, new, "learning_rate") == 0
    assert widest(old_float32, new, "loss") > 1e-3
    means = [sum(row["loss"] for row in curves) / len(curves) for curves in (old_float32, new)]
    print(f"mean loss of the epoch: {means}")
    assert means[1] == pytest.approx(means[0], abs=0.005)
