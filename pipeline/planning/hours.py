"""Estimate how long a training takes on a GPU.

A batch takes the longer of two times: that of the GPU, and that in which Python hands it the work, which no GPU
shortens. Both grow with the passes over the model (pipeline/planning/load.py). The constants were measured on one H100.
For other GPUs the matrix products are scaled by data sheets, and the rest where their memory is slower.
"""

from typing import Any

from pipeline.models.shape import PUBLISHED, Shape
from pipeline.planning.batch_memory import copied_weights
from pipeline.planning.gpus import GIB, H100, Gpu
from pipeline.planning.load import Load, count_evaluations, count_passes
from pipeline.planning.memory import stage
from pipeline.planning.weights import PACKED_BYTES, TYPE_BYTES, packed_weights, plain_weights

Settings = dict[str, Any]

# Seconds in which Python hands over one pass, and what it takes longer under ZeRO-3 and with a loop over 32 experts.
HAND_OVER, ZERO3_HAND_OVER, LOOP_HAND_OVER = 0.125, 0.375, 0.43
# Bytes a second at which ZeRO-3 gathers the weights of other GPUs for a pass, on four H200 of one host.
GATHERED_PER_SECOND = 90e9
# Seconds of the GPU for one pass: for the pass, a token, and a token times the length under eager attention.
PASS, TOKEN, TOKEN_LENGTH = 0.025, 31.8e-6, 30e-9
# Seconds for a GiB of expert weights that a LoRA is added to, in a batch.
COPIED_GIB = 0.0098
# The same of compiled layers with packed pairs and flex attention, which ask little of Python.
COMPILED_PASS, COMPILED_TOKEN, COMPILED_TOKEN_LENGTH = 0.046, 15.8e-6, 0.84e-9
# Share of the data sheet's bandwidth that dequantising reached: 34 ms for two passes of 20b on an H200.
DEQUANTISING = 0.6
# Share of the data sheet's products that a large one reached: 798 of 989 TFLOP/s.
REACHED = 0.807
# The constants above were measured on this shape.
MEASURED = PUBLISHED


def product_seconds(shape: Shape, gpu: Gpu) -> float:
    """Return the seconds of a token's matrix products in one pass: two operations a weight."""
    return 2 * shape.active / (REACHED * gpu.tflops * 1e12)


def token_seconds(shape: Shape, gpu: Gpu, measured: float = TOKEN) -> float:
    """Return the seconds of a token in one pass, without attention scores; `measured` are those on one H100."""
    others = measured * shape.active / MEASURED.active - product_seconds(shape, H100)
    return others * slower_memory(gpu) + product_seconds(shape, gpu)


def slower_memory(gpu: Gpu) -> float:
    """Return by how much the GPU's memory is slower than an H100's; a faster one is not counted.

    What is not a matrix product is bound by it.
    """
    return max(1, H100.bandwidth / gpu.bandwidth)


def dequantise_seconds(shape: Shape, flags: Settings, gpu: Gpu) -> float:
    """Return the seconds of a pass in which packed weights are dequantised: they are read, and written once."""
    moved = packed_weights(shape, flags) * (PACKED_BYTES + TYPE_BYTES[flags["torch_dtype"]])
    return moved / (DEQUANTISING * gpu.bandwidth)


def batch_seconds(shape: Shape, flags: Settings, gpu: Gpu, tokens: float, length: float, passes: int) -> float:
    """Return the seconds of a batch of one process: `tokens` tokens, in sequences of `length`."""
    deep: float = shape.layers / MEASURED.layers
    per_length, dequantising = deep * shape.heads / MEASURED.heads * length, dequantise_seconds(shape, flags, gpu)
    if flags.get("compiled_layers"):
        scores = COMPILED_TOKEN_LENGTH * per_length
        computing = tokens * (token_seconds(shape, gpu, COMPILED_TOKEN) + scores)
        return passes * (COMPILED_PASS * deep + computing + dequantising)
    scores = TOKEN_LENGTH * per_length * slower_memory(gpu) if flags["attn_impl"] == "eager" else 0
    working = PASS * deep * slower_memory(gpu) + tokens * (token_seconds(shape, gpu) + scores) + dequantising
    copies = COPIED_GIB * shape.layers * sum(copied_weights(shape, flags)) / GIB
    return max(passes * deep * hand_over_seconds(shape, flags), passes * working + copies)


def hand_over_seconds(shape: Shape, flags: Settings) -> float:
    """Return the seconds in which Python hands over one pass over as many layers as were measured."""
    at_once = flags.get("experts_at_once")
    products = 1 if flags["experts_impl"] == "eager" else at_once and shape.experts / at_once / MEASURED.experts
    return HAND_OVER + ZERO3_HAND_OVER * (stage(flags) == 3) + LOOP_HAND_OVER * (products or 0)


def gather_seconds(shape: Shape, flags: Settings, processes: int) -> float:
    """Return the seconds of a pass in which the weights of the other processes are gathered."""
    weights = TYPE_BYTES[flags["torch_dtype"]] * plain_weights(shape, flags)
    return weights * (1 - 1 / processes) / GATHERED_PER_SECOND if stage(flags) == 3 else 0


def load_seconds(shape: Shape, flags: Settings, gpu: Gpu, load: Load, passes: int) -> float:
    """Return the seconds of one batch of a training."""
    alone = batch_seconds(shape, flags, gpu, load.batch_tokens, load.padded_length, passes)
    return alone + passes * gather_seconds(shape, flags, load.processes)


def step_seconds(shape: Shape, flags: Settings, gpu: Gpu, load: Load) -> float:
    """Return the seconds of a step; held-out rows are not in it."""
    return load.accumulation * load_seconds(shape, flags, gpu, load, count_passes(flags))


def training_seconds(shape: Shape, flags: Settings, gpu: Gpu, load: Load, held_out: Load | None) -> float:
    """Return the seconds of a training: its batches, and those of the held-out rows as often as they are measured."""

    def batches_seconds(some: Load, passes: int) -> float:
        return some.batches * load_seconds(shape, flags, gpu, some, passes)

    passes, first = count_passes(flags), min(load.epochs, 1)
    later = passes - bool(flags.get("cached_reference"))  # the reference's is kept from the first epoch on
    seconds = first * batches_seconds(load, passes) + (load.epochs - first) * batches_seconds(load, later)
    times = count_evaluations(flags)
    if not held_out or not times:
        return seconds
    forward = passes - 1 - bool(flags["gradient_checkpointing"])
    return seconds + times * batches_seconds(held_out, forward)
