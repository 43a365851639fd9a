"""The weights of a model in memory: how many are packed (MXFP4), and the bytes of each."""

from typing import Any

from pipeline.models.expected_tensors import BLOCK
from pipeline.models.shape import Shape

Settings = dict[str, Any]

TYPE_BYTES = {"bfloat16": 2, "float32": 4}
# A packed weight of an expert: half a byte, and its share of a scale's byte.
PACKED_BYTES = 1 / 2 + 1 / BLOCK


def packed_weights(shape: Shape, flags: Settings) -> int:
    """Return the number of weights that are packed: those of the experts, or none."""
    return shape.layers * sum(shape.layer_products) if flags.get("packed_experts") else 0


def plain_weights(shape: Shape, flags: Settings) -> int:
    """Return the number of weights that are the model's parameters, which ZeRO-3 shards."""
    return shape.parameters - packed_weights(shape, flags)


def host_weights(shape: Shape, flags: Settings) -> int:
    """Return the number of weights that are in the machine's memory: the embeddings, or none."""
    return shape.vocabulary * shape.hidden if flags.get("host_embeddings") else 0
