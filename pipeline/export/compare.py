"""Read a GGUF back, and compare each of its tensors with the folder that it was made of, number by number.

A block of MXFP4 is 17 bytes in a GGUF: its scale, and 16 bytes that hold number i in the low half and number i + 16 in
the high half. The folder has neighbours in a byte (pipeline/models/mxfp4.py), and gate and up row by row in one tensor.
Vectors, router and biases are float32 in a GGUF, which has every number of bfloat16.
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.models.expected_tensors import BLOCKS, SCALES
from pipeline.models.weight_file import Stored

Array = NDArray[Any]
NUMBERS = {"BF16": "<u2", "F32": "<u4", "U8": "<u1"}  # as bits
OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
# A layer's tensors, by the first part of their names in a GGUF.
INSIDE = {
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate_inp": "mlp.router",
}
# Experts: the tensor of the folder, and the rows of it.
EXPERTS = {
    "ffn_gate_exps": ("mlp.experts.gate_up_proj", slice(0, None, 2)),
    "ffn_up_exps": ("mlp.experts.gate_up_proj", slice(1, None, 2)),
    "ffn_down_exps": ("mlp.experts.down_proj", slice(None)),
}
LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")


def name_sources(name: str, packed: bool) -> tuple[tuple[str, ...], slice]:
    """Return the tensors of the folder that one of the GGUF holds, and which of their rows."""
    if name in OUTSIDE:
        return (OUTSIDE[name],), slice(None)
    match = LAYER.fullmatch(name)
    if match is None:
        raise ValueError(f"{name}: not a tensor of gpt-oss")
    place, (part, end) = f"model.layers.{match[1]}.", match.groups()[1:]
    if part == "attn_sinks":
        return (f"{place}self_attn.sinks",), slice(None)
    if part in EXPERTS:
        source, rows = EXPERTS[part]
        ends = ("_bias",) if end == "bias" else (BLOCKS, SCALES) if packed else ("",)
        return tuple(f"{place}{source}{one}" for one in ends), rows
    return (f"{place}{INSIDE[part]}.{end}",), slice(None)


def read_bits(stored: Stored) -> Array:
    """Return the numbers of a tensor of the folder as unsigned ones of the same size, through a map of its file."""
    return np.memmap(stored.file, NUMBERS[stored.kind.dtype], "r", stored.start, stored.kind.shape)


def pair_halves(blocks: Array) -> Array:
    """Return blocks, of shape (…, 16), with the numbers in the places that a GGUF has for them."""
    codes = np.stack([blocks & 15, blocks >> 4], axis=-1).reshape(*blocks.shape[:-1], 32)
    halves: Array = codes[..., :16] | codes[..., 16:] << 4
    return halves


def same_packed(data: Array, blocks: Array, scales: Array) -> bool:
    """Say whether one expert's rows of a GGUF have these blocks and scales."""
    inside = data.reshape(*scales.shape, 17)
    return bool((inside[..., 0] == scales).all() and (inside[..., 1:] == pair_halves(blocks)).all())


def same_plain(data: Array, bits: Array) -> bool:
    """Say whether numbers of a GGUF, as bits, are these of a folder, which may be bfloat16 there and float32 here."""
    if data.dtype.itemsize > bits.dtype.itemsize:
        bits = bits.astype(data.dtype) << 16
    return bool(data.dtype == bits.dtype and np.array_equal(data, bits))


def find_differing(tensors: list[Any], found: Mapping[str, Stored], packed: bool) -> list[str]:
    """Return the names of a GGUF's tensors, as its reader has them, that differ from the folder's."""
    with ThreadPoolExecutor() as threads:  # numpy leaves Python's lock to others
        return [name for names in threads.map(lambda tensor: compare(tensor, found, packed), tensors) for name in names]


def compare(tensor: Any, found: Mapping[str, Stored], packed: bool) -> list[str]:
    """Return the name of a tensor of the GGUF if it differs from the folder's, else nothing."""
    sources, rows = name_sources(tensor.name, packed)
    arrays = [read_bits(found[source]) for source in sources]
    kind = tensor.tensor_type.name
    if len(arrays) == 2:
        blocks, scales = arrays
        pieces = ((tensor.data[i], blocks[i, rows], scales[i, rows]) for i in range(len(blocks)))
        return [] if kind == "MXFP4" and all(same_packed(*piece) for piece in pieces) else [tensor.name]
    shape = tuple(int(size) for size in reversed(tensor.shape))
    data = tensor.data.view(NUMBERS[kind]).reshape(shape) if kind in NUMBERS else None
    whole = order_experts(tensor.name, arrays[0], rows)
    return [] if data is not None and all(same_plain(data[i], whole(i)) for i in range(len(data))) else [tensor.name]


def order_experts(name: str, bits: Array, rows: slice) -> Callable[[int], Array]:
    """Return a function from a number to that row, or expert, of the folder's tensor as the GGUF has it.

    Experts in bfloat16 have their outputs last in the folder, and first in the GGUF.
    """
    if name.endswith("_exps.weight"):
        return lambda i: bits[i].T[rows]
    return (lambda i: bits[i][rows]) if name.endswith("_exps.bias") else (lambda i: bits[i])
