"""Estimate the memory of a GPU in a training, part by part.

    weights      the model, the adapter, its gradients and AdamW's states; ZeRO shards some of them over the GPUs, but
                 not packed experts (MXFP4), which are buffers and whole on each
    kept         what the forward pass keeps for the backward pass
    passing      what is there for a moment: the logits, or one layer at work, whichever is larger

The constants were fitted to measurements on one H100; docs/planning.md has them, and what was not measured.
"""

from dataclasses import dataclass, replace
from typing import Any

from pipeline.models.shape import Shape, count_adapter
from pipeline.planning.batch_memory import LOGIT_BYTES, Batch, batch_parts
from pipeline.planning.gpus import GIB
from pipeline.planning.weights import PACKED_BYTES, TYPE_BYTES, host_weights, packed_weights, plain_weights

Settings = dict[str, Any]

HELD_OUT_LOGIT_BYTES = 6  # of a token and a word, where there are no gradients
# AdamW under DeepSpeed, a weight: float32 copy, two float32 moments; and a float32 gradient.
OPTIMISER_BYTES, GRADIENT_BYTES = 12, 4
ZERO3_LIVE_PARAMETERS = 1_000_000_000  # stage3_max_live_parameters of ms-swift's zero3.json
ZERO2_BUCKET = 200_000_000  # reduce_bucket_size of its zero1.json and zero2.json, weights
CONTEXT_BYTES = 1 * GIB  # CUDA's own, and NCCL's
SLACK = 0.2  # of what comes and goes: blocks that the allocator holds and cannot use


@dataclass(frozen=True)
class Memory:
    """Bytes of one GPU by part, under one of DeepSpeed's settings."""

    weights: float
    packed: float  # experts' weights, where the model is trained as it is published
    gathered: float  # weights of other GPUs that ZeRO-3 has fetched
    adapter: float
    gradients: float
    optimiser: float
    kept: float
    logits: float
    layer: float
    overhead: float

    @property
    def total(self) -> float:
        """Return the most there is at one time: logits and a layer at work are not there together."""
        fixed = self.weights + self.packed + self.gathered + self.adapter + self.gradients + self.optimiser
        return fixed + self.kept + max(self.logits, self.layer) + self.overhead


def estimate_memory(shape: Shape, flags: Settings, batch: Batch, processes: int) -> Memory:
    """Return the memory of a GPU while it trains `batch`, under the flags of `dpo` or of the SFT."""
    adapter = count_adapter(shape, flags)
    passing = batch_parts(shape, flags, batch)
    moving = passing["kept"] + max(passing["logits"], passing["layer"])
    buffer = ZERO2_BUCKET * TYPE_BYTES[flags["torch_dtype"]] if stage(flags) in (1, 2) else 0
    return Memory(
        **fixed_parts(shape, flags, adapter, processes),
        **passing,
        overhead=CONTEXT_BYTES + buffer + SLACK * moving,
    )


def sharding(flags: Settings) -> str:
    """Return how the training is sharded; zero0, plain data parallel, without DeepSpeed."""
    return str(flags["deepspeed"] or "zero0")


def stage(flags: Settings) -> int:
    """Return the stage of ZeRO, 0 for plain data parallel."""
    return int(sharding(flags).removeprefix("zero")[0])


def fixed_parts(shape: Shape, flags: Settings, adapter: int, processes: int) -> dict[str, float]:
    """Return the memory in use all the time. Sharded: the optimiser from stage 1, gradients from 2, weights from 3."""
    size, zero = TYPE_BYTES[flags["torch_dtype"]], stage(flags)
    offload = sharding(flags).endswith("_offload")  # the optimiser, and with stage 3 the weights, are on the CPU

    def shared(sharded_from: int) -> int:
        return processes if zero >= sharded_from else 1

    packed, plain = packed_weights(shape, flags), plain_weights(shape, flags)
    fetches = zero == 3 and (processes > 1 or offload)
    live = shape.layers * shape.layer - packed if holds_layers(flags) else min(ZERO3_LIVE_PARAMETERS, plain)
    return {
        "weights": 0 if offload and zero == 3 else size * (plain - host_weights(shape, flags)) / shared(3),
        "packed": PACKED_BYTES * packed,
        "gathered": size * live if fetches else 0,
        "adapter": size * adapter / shared(3),
        "gradients": GRADIENT_BYTES * adapter / shared(2),
        "optimiser": 0 if offload else OPTIMISER_BYTES * adapter / shared(1),
    }


def holds_layers(flags: Settings) -> bool:
    """Say whether DeepSpeed 0.19 keeps every layer that ZeRO-3 has gathered until a backward pass ends.

    Frozen weights that reentrant checkpointing, which is ms-swift's, gathers again are released with the module whose
    backward pass DeepSpeed takes them to belong to: the whole model.
    """
    how = flags.get("gradient_checkpointing_kwargs") or {"use_reentrant": True}
    return bool(flags["gradient_checkpointing"] and how["use_reentrant"])


def held_out_bytes(shape: Shape, flags: Settings, batch: Batch, processes: int) -> float:
    """Return the memory of a GPU while it measures held-out rows: nothing is kept, and logits have no gradients."""
    memory = estimate_memory(shape, flags | {"gradient_checkpointing": True}, batch, processes)
    return replace(memory, kept=0, logits=memory.logits * HELD_OUT_LOGIT_BYTES / LOGIT_BYTES).total
