"""Estimate the memory of a GPU in a training, part by part.

    weights      the model, the adapter, its gradients and AdamW's states; ZeRO shards some of them over the GPUs, but
                 not packed experts (MXFP4), which are buffers and whole on each
    kept         what the forward pass keeps for the backward pass
    passing      what is there for a moment: the logits, or one layer at work, whichever is larger

The constants were fitted to measurements on one H100; docs/planning.md has them, and what was not measured.
"""

from dataclasses import dataclass, replace
from typing import Any

from pipeline.models.expected_tensors import BLOCK
from pipeline.models.shape import Shape, count_adapter, named_parameters
from pipeline.planning.gpus import GIB
from pipeline.planning.load import Load
from pipeline.training.row_length import row_length

Settings = dict[str, Any]

TYPE_BYTES = {"bfloat16": 2, "float32": 4}
# A packed weight of an expert: half a byte, and its share of a scale's byte.
PACKED_BYTES = 1 / 2 + 1 / BLOCK
# AdamW under DeepSpeed, a weight: float32 copy, two float32 moments; and a float32 gradient.
OPTIMISER_BYTES, GRADIENT_BYTES = 12, 4
# Logits of a token that the loss looks at, a word of the vocabulary: in bfloat16 and float32, with gradients of either.
LOGIT_BYTES, HELD_OUT_LOGIT_BYTES = 12, 6
# The number of tokens that plugins/fast/packed_pairs.py has logits of at once.
PACKED_LOGITS = 1024
# Of what a layer keeps, if it is compiled.
COMPILED_SHARE = 0.5
# Score matrices of eager attention: kept for the backward pass, and there while a layer is at work.
KEPT_SCORES, PASSING_SCORES = 1, 4
# A layer of experts in its backward pass, in multiples of what a layer keeps.
EXPERTS_AT_WORK = 1.5
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


@dataclass(frozen=True)
class Batch:
    """What a GPU holds at once: sequences that are padded to one length, or pairs of them packed into a row."""

    sequences: int
    length: int  # tokens
    prompt: int  # tokens before the first that is trained
    packed: bool = False

    @property
    def tokens(self) -> int:
        """Return the tokens, padding included."""
        tokens = self.sequences * self.length
        return row_length(tokens - self.sequences // 2 * self.prompt) if self.packed else tokens

    @property
    def logits(self) -> int:
        """Return the number of tokens whose logits are in memory at once."""
        logits = self.sequences * (self.length - self.prompt + 1)
        return min(PACKED_LOGITS, logits) if self.packed else logits


def largest_batch(load: Load, length: int | None = None) -> Batch:
    """Return the batch that needs most: the longest sequence, or one of this length, beside the shortest prompt."""
    longest = length or load.longest
    return Batch(load.sequences, longest, min(load.shortest_prompt, longest), load.packed)


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
        "weights": 0 if offload and zero == 3 else size * plain / shared(3),
        "packed": PACKED_BYTES * packed,
        "gathered": size * live if fetches else 0,
        "adapter": size * adapter / shared(3),
        "gradients": GRADIENT_BYTES * adapter / shared(2),
        "optimiser": 0 if offload else OPTIMISER_BYTES * adapter / shared(1),
    }


def packed_weights(shape: Shape, flags: Settings) -> int:
    """Return the number of weights that are packed: those of the experts, or none."""
    return shape.layers * sum(shape.layer_products) if flags.get("packed_experts") else 0


def plain_weights(shape: Shape, flags: Settings) -> int:
    """Return the number of weights that are the model's parameters, which ZeRO-3 shards."""
    return shape.parameters - packed_weights(shape, flags)


def holds_layers(flags: Settings) -> bool:
    """Say whether DeepSpeed 0.19 keeps every layer that ZeRO-3 has gathered until a backward pass ends.

    Frozen weights that reentrant checkpointing, which is ms-swift's, gathers again are released with the module whose
    backward pass DeepSpeed takes them to belong to: the whole model.
    """
    how = flags.get("gradient_checkpointing_kwargs") or {"use_reentrant": True}
    return bool(flags["gradient_checkpointing"] and how["use_reentrant"])


def batch_parts(shape: Shape, flags: Settings, batch: Batch) -> dict[str, float]:
    """Return the memory of a batch: what is kept until its backward pass, the logits, and a layer at work."""
    size = TYPE_BYTES[flags["torch_dtype"]]
    share = COMPILED_SHARE if flags.get("compiled_layers") else 1
    saved: float = share * layer_bytes(shape, size)
    scores = score_bytes(shape, flags, batch)
    copies = copied_weights(shape, flags)
    kept: float = shape.hidden * size * batch.tokens
    if not flags["gradient_checkpointing"]:
        kept = (saved + lora_input_bytes(shape, flags)) * batch.tokens + KEPT_SCORES * scores + sum(copies)
    weights = 2 * max(copies, default=0) + dequantised_bytes(shape, flags) + gathered_experts(shape, flags, batch)
    return {
        "kept": shape.layers * kept,
        "logits": LOGIT_BYTES * shape.vocabulary * batch.logits,
        "layer": max(
            EXPERTS_AT_WORK * saved * batch.tokens + weights,
            attention_bytes(shape, size) * batch.tokens + PASSING_SCORES * scores,
        ),
    }


def layer_bytes(shape: Shape, size: int) -> int:
    """Return the bytes that a layer keeps of a token without checkpointing, without attention scores.

    For each expert that a token goes to, its input and output and six tensors of the activation; queries, keys, values
    and the output of attention, twice (before and after the rotation); five of the residual stream and its norms.
    """
    experts = shape.experts_per_token * (2 * shape.hidden + 6 * shape.intermediate)
    return size * (experts + 2 * (shape.heads + shape.key_value_heads) * shape.head_size + 5 * shape.hidden)


def attention_bytes(shape: Shape, size: int) -> int:
    """Return the bytes of attention at work for a token, without scores: queries, keys, values, output, thrice."""
    return 3 * size * 2 * (shape.heads + shape.key_value_heads) * shape.head_size


def score_bytes(shape: Shape, flags: Settings, batch: Batch) -> int:
    """Return one matrix of attention scores: every token by every token, also in sliding-window layers."""
    if flags["attn_impl"] != "eager":
        return 0
    return TYPE_BYTES[flags["torch_dtype"]] * shape.heads * batch.sequences * batch.length**2


def copied_weights(shape: Shape, flags: Settings) -> list[int]:
    """Return the bytes of a layer's expert weights that peft adds a LoRA to: it writes each sum out.

    Beside packed weights a LoRA is a product of its own, and nothing is written out.
    """
    if flags.get("packed_experts"):
        return []
    size = TYPE_BYTES[flags["torch_dtype"]] * shape.experts
    return [size * shape.bare[name][0] * shape.bare[name][1] for name in named_parameters(flags)]


def lora_input_bytes(shape: Shape, flags: Settings) -> int:
    """Return the bytes that a layer keeps of a token for a LoRA beside packed experts: what its products take in."""
    if not flags.get("packed_experts"):
        return 0
    size = TYPE_BYTES[flags["torch_dtype"]] * shape.experts_per_token
    return sum(size * shape.bare[name][0] for name in named_parameters(flags))


def dequantised_bytes(shape: Shape, flags: Settings) -> float:
    """Return the bytes of packed weights that are dequantised at one time: those of the larger product of a layer.

    A loop over the experts has one expert's.
    """
    if not flags.get("packed_experts"):
        return 0
    experts = shape.experts if flags["experts_impl"] == "eager" else 1
    return TYPE_BYTES[flags["torch_dtype"]] * max(shape.layer_products) / experts


def gathered_experts(shape: Shape, flags: Settings, batch: Batch) -> int:
    """Return the bytes of experts_impl batched_mm: a copy of its experts' first weights for every token."""
    if flags["experts_impl"] != "batched_mm":
        return 0
    inputs, outputs = shape.bare["gate_up_proj"]
    return TYPE_BYTES[flags["torch_dtype"]] * batch.tokens * shape.experts_per_token * inputs * outputs


def held_out_bytes(shape: Shape, flags: Settings, batch: Batch, processes: int) -> float:
    """Return the memory of a GPU while it measures held-out rows: nothing is kept, and logits have no gradients."""
    memory = estimate_memory(shape, flags | {"gradient_checkpointing": True}, batch, processes)
    return replace(memory, kept=0, logits=memory.logits * HELD_OUT_LOGIT_BYTES / LOGIT_BYTES).total
