"""MXFP4, the format of gpt-oss's published experts: numbers of 4 bits, in blocks of 32 that share a power of two.

A number is E2M1: a sign, two bits of exponent, one of mantissa. A block of 32 inputs is 16 bytes, each with an even
input in its low half and the next one in its high half, and a byte of scale: E8M0, 2^(scale - 127); 255 is NaN. The
blocks of the published checkpoint have the shape (experts, outputs, inputs / 32, 16) and the scales that without the
last; in bfloat16, transformers has (experts, inputs, outputs). One expert is in memory more than once, never all.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.models.expected_tensors import BLOCK, BLOCKS, SCALES
from pipeline.models.shape import BARE_PARAMETERS

BIAS = 127  # of a scale's exponent
LARGEST_EXPONENT = 2  # of an E2M1 number: 4 and 6 are 2^2 x 1 and 2^2 x 1.5
MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # by code; codes 8 to 15 are the same, negative

# What lies between two neighbours goes to the nearer; what lies in the middle, to the one with an even code. Each bound
# is the largest float32 that goes to the lower one.
MIDDLES = torch.tensor([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0])
LOWER_IS_EVEN = torch.arange(len(MIDDLES)) % 2 == 0
BOUNDS = torch.where(LOWER_IS_EVEN, MIDDLES, torch.nextafter(MIDDLES, torch.zeros(())))


def list_pairs() -> Tensor:
    """Return the two bfloat16 numbers of each byte, as one 32-bit word, which is quicker to look up."""
    codes = torch.arange(256)
    numbers = torch.tensor([*MAGNITUDES, *(-one for one in MAGNITUDES)], dtype=torch.bfloat16)
    return torch.stack([numbers[codes % 16], numbers[codes // 16]], dim=-1).view(torch.int32).flatten()


def list_powers() -> Tensor:
    """Return the power of two of each scale, in bfloat16, which has all of them."""
    powers = torch.ldexp(torch.ones(256), torch.arange(256) - BIAS)
    powers[255] = torch.nan
    return powers.to(torch.bfloat16)


PAIRS, POWERS = list_pairs(), list_powers()


def unpack(blocks: Tensor, scales: Tensor) -> Tensor:
    """Return the numbers in bfloat16, in the order of the blocks: (…, inputs) from (…, inputs / 32, 16).

    They are exact: a number has two significant bits, bfloat16 has eight. Beyond its range they are infinite, which
    check_model refuses.
    """
    numbers = PAIRS[blocks.to(torch.int32)].view(torch.bfloat16)
    numbers *= POWERS[scales.to(torch.int32)].unsqueeze(-1)
    return numbers.flatten(-2)


def dequantise(blocks: Tensor, scales: Tensor) -> Tensor:
    """Return the weights in bfloat16, as transformers has them: (experts, inputs, outputs)."""
    experts, outputs, groups, _ = blocks.shape
    weights = torch.empty(experts, groups * BLOCK, outputs, dtype=torch.bfloat16)
    for expert in range(experts):
        weights[expert] = unpack(blocks[expert], scales[expert]).T
    return weights


def quantise(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return blocks and scales of weights of the shape (experts, inputs, outputs), by OCP's rule for MX formats.

    The exponent of a block's scale is that of its largest number, rounded down, minus 2, and not below that of scale
    0, which is also the scale of a block of zeros. A number goes to the nearest that there is, from the middle of two
    to the one with an even code, and above 6 to 6. Weights that were dequantised give the same numbers back.
    Raises ValueError if the inputs are not in whole blocks, or a weight is NaN or infinite.
    """
    experts, inputs, outputs = weights.shape
    if inputs % BLOCK:
        raise ValueError(f"{inputs} inputs are not in whole blocks of {BLOCK}")
    blocks = torch.empty(experts, outputs, inputs // BLOCK, BLOCK // 2, dtype=torch.uint8)
    scales = torch.empty(experts, outputs, inputs // BLOCK, dtype=torch.uint8)
    for expert in range(experts):
        numbers = weights[expert].T.float().contiguous().reshape(outputs, inputs // BLOCK, BLOCK)
        exponents = choose_exponents(numbers)
        scales[expert] = exponents + BIAS
        codes = choose_codes(torch.ldexp(numbers, -exponents.unsqueeze(-1)))
        blocks[expert] = codes[..., ::2] | codes[..., 1::2] << 4
    return blocks, scales


def pack_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a gpt-oss's weights by name, with the experts' packed, under the names of the published checkpoint."""
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.rpartition(".")[2] in BARE_PARAMETERS:
            packed[f"{name}{BLOCKS}"], packed[f"{name}{SCALES}"] = quantise(weight)
        else:
            packed[name] = weight
    return packed


def choose_exponents(numbers: Tensor) -> Tensor:
    """Return the exponent of the scale of each block, of shape (…) from (…, 32)."""
    largest = numbers.abs().amax(-1)
    if not largest.isfinite().all():
        raise ValueError("a weight is NaN or infinite")
    exponents = torch.frexp(largest).exponent - 1 - LARGEST_EXPONENT  # frexp's mantissa is below 1
    return torch.where(largest > 0, exponents, -BIAS).clamp(min=-BIAS)


def choose_codes(scaled: Tensor) -> Tensor:
    """Return the codes of numbers that have been divided by their scales."""
    codes = torch.bucketize(scaled.abs(), BOUNDS, out_int32=True).to(torch.uint8)
    return codes | scaled.signbit().to(torch.uint8) << 3
