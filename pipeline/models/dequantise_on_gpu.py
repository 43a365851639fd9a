"""Dequantise packed experts (MXFP4) on a GPU, by a kernel of Triton."""

import torch
import triton
import triton.language as tl
from torch import Tensor

BYTES = 2048  # of blocks, for one program of the kernel


@triton.jit
def number(code):  # type: ignore[no-untyped-def]
    """Return the E2M1 numbers of codes: exact in float32."""
    exponent, mantissa = (code & 7) >> 1, (code & 1).to(tl.float32)
    small = mantissa * 0.5
    large = (1.0 + mantissa * 0.5) * tl.exp2((exponent - 1).to(tl.float32))
    magnitude = tl.where(exponent == 0, small, large)
    return tl.where(code > 7, -magnitude, magnitude)


@triton.jit  # type: ignore[untyped-decorator]
def dequantise_kernel(blocks, scales, weights, count, BYTES: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write two weights for each byte of blocks; sixteen bytes share a byte of scales."""
    place = tl.program_id(0).to(tl.int64) * BYTES + tl.arange(0, BYTES)
    is_there = place < count
    byte = tl.load(blocks + place, mask=is_there, other=0).to(tl.int32)
    power = tl.exp2((tl.load(scales + place // 16, mask=is_there, other=127).to(tl.int32) - 127).to(tl.float32))
    even = (number(byte & 15) * power).to(tl.bfloat16)
    odd = (number(byte >> 4) * power).to(tl.bfloat16)
    target = tl.program_id(0).to(tl.int64) * BYTES * 2 + tl.arange(0, BYTES * 2)
    tl.store(weights + target, tl.interleave(even, odd), mask=target < count * 2)


def dequantise_on_gpu(blocks: Tensor, scales: Tensor) -> Tensor:
    """Return the weights in bfloat16, of shape (experts, outputs, inputs), which is the order of the blocks."""
    *shape, _ = blocks.shape
    weights = torch.empty(*shape[:-1], shape[-1] * 32, dtype=torch.bfloat16, device=blocks.device)
    count = blocks.numel()
    dequantise_kernel[(triton.cdiv(count, BYTES),)](blocks, scales, weights, count, BYTES=BYTES)
    return weights
