"""Training over packed experts and over the same experts dequantised: 20 steps of two processes, compared in bytes."""

import pytest

from tests.support.tutorial_run import FLOAT32, build_model, read_results, train_tutorial, tutorial_pairs, write_pairs

pytestmark = pytest.mark.ci("a packed model that is trained as another one than the same in bfloat16")

NIGHTLY = pytest.mark.nightly("the same under the ZeRO stages that no recipe has")
SMALL_STEPS = {"gradient_accumulation_steps": 4, "per_device_train_batch_size": 2}  # 16 pairs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a packed model, the same in bfloat16 (model), and pairs for 20 steps."""
    folder = tmp_path_factory.mktemp("packed")
    build_model(folder, 20)
    write_pairs(folder / "pairs.jsonl", tutorial_pairs()[::2])
    return folder


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        pytest.param("zero3", {}, id="ZeRO-3"),
        pytest.param("parallel", {"deepspeed": None, **FLOAT32}, id="data parallel"),
        pytest.param("zero1", {"deepspeed": "zero1"}, id="ZeRO-1", marks=NIGHTLY),
        pytest.param("zero2", {"deepspeed": "zero2"}, id="ZeRO-2", marks=NIGHTLY),
    ],
)
def test_a_training_over_packed_experts_ends_in_the_bytes_of_one_over_dequantised_ones(place, name, changed):
    weights, losses = [], []
    for model in ("packed", "model"):
        folder = place / f"{name}-{model}"
        losses.append(train_tutorial(place / model, place / "pairs.jsonl", folder, 2, SMALL_STEPS | changed))
        weights.append(read_results(folder / "dpo", "adapter/adapter_model.safetensors"))
    assert len(losses[0]) == 20
    assert losses[0] == losses[1]
    assert weights[0] == weights[1]
