"""Estimate the memory of a batch: what is kept until its backward pass, the logits, and a layer at work."""

from dataclasses import dataclass
from typing import Any

from pipeline.models.shape import Shape, named_parameters
from pipeline.planning.load import Load
from pipeline.planning.weights import TYPE_BYTES
from pipeline.training.row_length import row_length

Settings = dict[str, Any]

# Logits of a token that the loss looks at, a word of the vocabulary: in bfloat16 and float32, with gradients of either.
LOGIT_BYTES = 12
# The number of tokens that plugins/fast/packed_pairs.py has logits of at once.
PACKED_LOGITS = 1024
# Of what a layer keeps, if it is compiled.
COMPILED_SHARE = 0.5
# Score matrices of eager attention: kept for the backward pass, and there while a layer is at work.
KEPT_SCORES, PASSING_SCORES = 1, 4
# A layer of experts in its backward pass, in multiples of what a layer keeps.
EXPERTS_AT_WORK = 1.5


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

    A loop over the experts has one expert's; train.small.experts_at_once says how many otherwise.
    """
    if not flags.get("packed_experts"):
        return 0
    at_once = 1 if flags["experts_impl"] == "eager" else flags.get("experts_at_once") or shape.experts
    experts = min(at_once, shape.experts)
    return TYPE_BYTES[flags["torch_dtype"]] * max(shape.layer_products) * experts / shape.experts


def gathered_experts(shape: Shape, flags: Settings, batch: Batch) -> int:
    """Return the bytes of experts_impl batched_mm: a copy of its experts' first weights for every token."""
    if flags["experts_impl"] != "batched_mm":
        return 0
    inputs, outputs = shape.bare["gate_up_proj"]
    return TYPE_BYTES[flags["torch_dtype"]] * batch.tokens * shape.experts_per_token * inputs * outputs
