"""Dequantise packed experts (MXFP4) on a GPU, by a kernel of Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from pipeline.models.expected_tensors import BLOCK

BYTES = 2048  # of blocks, for one program of the kernel
UNBIASED = tl.constexpr(2.0**126)  # an E2M1 number's bits, as those of a float32 number, are 2^126 times too small


@triton.jit
def widen(bits, power):  # type: ignore[no-untyped-def]
    """Return a bfloat16 number from an E2M1 number's bits at their places in float32, and the power of its block."""
    return (bits.to(tl.float32, bitcast=True) * UNBIASED * power).to(tl.bfloat16)


@triton.jit  # type: ignore[untyped-decorator]
def dequantise_kernel(blocks, scales, weights, count, BYTES: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write two weights for each byte of blocks; sixteen bytes share a byte of scales."""
    place = tl.program_id(0).to(tl.int64) * BYTES + tl.arange(0, BYTES)
    is_there = place < count
    byte = tl.load(blocks + place, mask=is_there, other=0).to(tl.int32)
    scale = tl.load(scales + place // 16, mask=is_there, other=127).to(tl.int32)
    power = tl.where(scale == 0, 1 << 22, scale << 23).to(tl.float32, bitcast=True)  # 2^-127 is a denormal number
    even = widen(((byte & 0x07) << 22) | ((byte & 0x08) << 28), power)
    odd = widen(((byte & 0x70) << 18) | ((byte & 0x80) << 24), power)
    target = tl.program_id(0).to(tl.int64) * BYTES * 2 + tl.arange(0, BYTES * 2)
    tl.store(weights + target, tl.interleave(even, odd), mask=target < count * 2)


def dequantise_on_gpu(blocks: Tensor, scales: Tensor) -> Tensor:
    """Return the weights in bfloat16, of shape (experts, outputs, inputs), which is the order of the blocks.

    For every scale but 255, which is NaN, they are those of mxfp4.dequantise.
    """
    experts, outputs, groups, _ = blocks.shape
    weights = torch.empty(experts, outputs, groups * BLOCK, dtype=torch.bfloat16, device=blocks.device)
    count = blocks.numel()
    dequantise_kernel[(triton.cdiv(count, BYTES),)](blocks, scales, weights, count, BYTES=BYTES)
    return weights
