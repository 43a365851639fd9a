"""Memory and time over packed experts (MXFP4), against what was measured on one H200."""

import json
from typing import Any

import pytest

from pipeline.models.shape import PUBLISHED, PUBLISHED_120B
from pipeline.planning.batch_memory import Batch
from pipeline.planning.gpus import GIB, find_gpu
from pipeline.planning.hours import batch_seconds, dequantise_seconds, gather_seconds
from pipeline.planning.memory import Memory, estimate_memory
from pipeline.planning.trainings import list_trainings
from tests.support.planned import EXPERTS, same_pairs, settings
from tests.support.project import ROOT

MEASURED = json.loads((ROOT / "benchmarks/results/packed_experts.json").read_text(encoding="utf-8"))
SHAPES = {"20b": PUBLISHED, "120b": PUBLISHED_120B}
SMALL = {"experts_at_once": 4, "host_embeddings": True}
LOGITS = 1024  # tokens whose logits the measured step had at once


def flags(row: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a measured row."""
    changes = {"gradient_checkpointing": row["checkpointing"], "target_parameters": EXPERTS if row["experts"] else None}
    asked = settings("gpt-oss-20b-one-gpu", dpo=changes)["dpo"]
    return asked | {"compiled_layers": row["compiled"], "packed_experts": row["packed"]}


def estimate(row: dict[str, Any], processes: int = 1, **changes: Any) -> Memory:
    """Return the memory of a measured row."""
    sequences = 2 * row["pairs"]
    batch = Batch(sequences, row["length"], row["length"] + 1 - LOGITS // sequences)
    return estimate_memory(SHAPES[row["shape"]], flags(row) | changes, batch, processes)


def name(row: dict[str, Any]) -> str:
    words = [row["shape"], "packed" if row["packed"] else "bfloat16", *(["compiled"] if row["compiled"] else [])]
    words += ["checkpointing"] if row["checkpointing"] else []
    return " ".join([*words, *(["LoRA of experts"] if row["experts"] else []), f"{row['pairs']} x {row['length']}"])


@pytest.mark.parametrize("row", MEASURED["rows"], ids=name)
def test_memory_is_estimated_to_a_tenth(row):
    memory = estimate(row)
    allocated = memory.total - memory.overhead - memory.optimiser  # the measured step had no optimiser
    assert allocated / GIB == pytest.approx(row["peak_gib"], rel=0.1)


@pytest.mark.parametrize("resident", MEASURED["resident"], ids=lambda row: f"{row['shape']} packed {row['packed']}")
def test_weights_take_what_they_took_to_a_tenth(resident):
    row = MEASURED["rows"][0] | {"shape": resident["shape"], "packed": resident["packed"]}
    memory = estimate(row)
    assert (memory.weights + memory.packed) / GIB == pytest.approx(resident["gib"], rel=0.1)


PACKED = next(row for row in MEASURED["rows"] if row["packed"])


def test_packed_experts_are_whole_on_every_gpu_and_the_rest_is_sharded():
    whole, shared = (estimate(PACKED, 4, deepspeed=name) for name in (None, "zero3"))
    assert shared.packed == whole.packed > 0
    assert shared.weights == whole.weights / 4
    assert shared.gathered == min(2e9, whole.weights)


TRAINED = json.loads((ROOT / "benchmarks/results/packed_training.json").read_text(encoding="utf-8"))
CARDS = {"packed, 24 GB card, 2 x 4096": (4096, {}), "packed, 16 GB card, 2 x 1024": (1024, SMALL)}


def small_card(name: str) -> tuple[dict[str, Any], Batch, dict[str, Any]]:
    """Return the settings of a measured row of a small card, its batch, and what was measured."""
    length, small = CARDS[name]
    row = PACKED | {"pairs": 1, "length": length, "checkpointing": True, "compiled": False, "experts": False}
    (measured,) = [one for one in TRAINED if one["name"] == name]
    return flags(row) | {"packed_pairs": True} | small, Batch(2, length, length // 2, packed=True), measured


@pytest.mark.parametrize("name", CARDS)
def test_memory_of_a_small_card_is_estimated_to_a_tenth(name):
    changes, batch, measured = small_card(name)
    memory = estimate_memory(PUBLISHED, changes, batch, 1)
    assert (memory.total - memory.overhead) / GIB == pytest.approx(measured["peak_gib"], rel=0.1)


@pytest.mark.parametrize("name", CARDS)
def test_a_step_with_the_settings_of_a_small_card_is_estimated_to_a_tenth(name):
    changes, batch, measured = small_card(name)
    estimated = batch_seconds(PUBLISHED, changes, find_gpu("h200"), batch.tokens, batch.length, passes=4)
    assert estimated == pytest.approx(measured["seconds_per_step"], rel=0.1)


# Of the shape, pairs, and what else differs from 8 pairs of 20b with compiled layers and no checkpointing.
BATCHES = {
    "packed, 8 pairs": ("20b", 8, {}),
    "packed, 8 pairs, not compiled": ("20b", 8, {"compiled": False}),
    "packed, 16 pairs": ("20b", 16, {}),
    "bfloat16, 16 pairs": ("20b", 16, {"packed": False}),
    "packed, LoRA of experts, 8 pairs": ("20b", 8, {"experts": True}),
    "packed, 120b, 80 GB card, 16 pairs": ("120b", 16, {"checkpointing": True}),
}


@pytest.mark.parametrize("name", BATCHES)
def test_memory_of_a_training_with_levers_is_estimated_to_a_tenth(name):
    shape, pairs, changes = BATCHES[name]
    row = PACKED | {"pairs": pairs, "length": 400, "checkpointing": False, "compiled": True, "experts": False} | changes
    memory = estimate_memory(
        SHAPES[shape], flags(row) | {"packed_pairs": True}, Batch(2 * pairs, 400, 200, packed=True), 1
    )
    (measured,) = [one for one in TRAINED if one["name"] == name]
    assert (memory.total - memory.overhead) / GIB == pytest.approx(measured["peak_gib"], rel=0.1)


def test_embeddings_on_the_host_take_nothing_of_the_gpu():
    moved, own = (estimate(PACKED, host_embeddings=wanted).weights for wanted in (True, False))
    assert own - moved == 2 * 201_088 * 2880


def test_a_loop_over_the_experts_dequantises_one_at_a_time():
    looped, grouped = (estimate(PACKED, experts_impl=name).layer for name in ("eager", "grouped_mm"))
    assert grouped - looped == pytest.approx(31 * 2 * 2880 * 5760)


def seconds(row: dict[str, Any]) -> float:
    """Return the seconds of a measured step."""
    return 2 * row["pairs"] * row["length"] / row["tokens_per_s"]


def find_plain(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row that differs in nothing but its weights, which are bfloat16's."""
    own = {key: row[key] for key in row.keys() - {"tokens_per_s", "peak_gib"}} | {"packed": False}
    return next((other for other in MEASURED["rows"] if own.items() <= other.items()), None)


COMPARED = [row for row in MEASURED["rows"] if row["packed"] and find_plain(row)]


@pytest.mark.parametrize("row", COMPARED, ids=name)
def test_packed_experts_are_slower_by_what_was_measured_to_a_fiftieth_of_the_step(row):
    h200, passes = find_gpu("h200"), 2 + row["checkpointing"]  # the step had no reference
    estimated = seconds(find_plain(row)) + passes * dequantise_seconds(PUBLISHED, flags(row), h200)
    assert estimated == pytest.approx(seconds(row), rel=0.02)


def test_five_pairs_of_rows_differ_in_their_weights_alone():
    assert len(COMPARED) == 5


@pytest.mark.parametrize("compiled", [True, False])
def test_a_card_with_slow_memory_takes_longer_to_dequantise(compiled):
    packed = flags(PACKED) | {"compiled_layers": compiled}
    slower = []
    for gpu in (find_gpu("h200"), find_gpu("rtx-4090")):
        with_and_without = (packed, packed | {"packed_experts": False})
        took = [batch_seconds(PUBLISHED, some, gpu, 20_000, 400, passes=2) for some in with_and_without]
        slower.append(took[0] - took[1])
    assert slower[1] / slower[0] == pytest.approx(4800 / 1008)


def test_zero3_gathers_what_is_not_packed():
    packed, plain = (flags(PACKED) | {"deepspeed": "zero3", "packed_experts": is_packed} for is_packed in (True, False))
    parts = [gather_seconds(PUBLISHED, some, 4) for some in (packed, plain)]
    assert parts[0] / parts[1] == pytest.approx(1 - 24 * 32 * 3 * 2880**2 / PUBLISHED.parameters)


@pytest.mark.parametrize(
    ("sections", "packed"),
    [
        ({}, True),
        ({"model": {"weights": "bfloat16"}}, False),
        ({"sft": {"enabled": True}}, True),
        ({"sft": {"enabled": True}, "dpo": {"target_parameters": EXPERTS}}, False),  # merged in bfloat16
        ({"sft": {"enabled": True, "join": "stacked"}, "dpo": {"target_parameters": EXPERTS}}, True),
    ],
)
def test_a_training_is_over_packed_experts_where_its_model_has_them(sections, packed):
    trainings = list_trainings(settings("", **sections), same_pairs(64))
    assert trainings[-1].flags["packed_experts"] is packed
