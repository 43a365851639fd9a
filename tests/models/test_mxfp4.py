"""models/mxfp4.py: the packed format of gpt-oss's experts."""

import numpy as np
import pytest
import torch

from pipeline.models.expected_tensors import expect_tensors
from pipeline.models.mxfp4 import dequantise, pack_weights, quantise, unpack
from pipeline.models.shape import read_shape
from tests.support.model_folders import PACKED, write_model_folder

pytestmark = pytest.mark.training_environment

GRID = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])


def code_value(code: int) -> float:
    """Return the number of a code by the definition of E2M1: a sign, exponent with bias 1, one bit of mantissa."""
    sign, exponent, mantissa = code >> 3, code >> 1 & 3, code & 1
    size = mantissa * 0.5 if exponent == 0 else 2.0 ** (exponent - 1) * (1 + mantissa / 2)
    return -size if sign else size


def reference(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return (experts, inputs, outputs) in float64, one number at a time."""
    experts, outputs, groups, _ = blocks.shape
    numbers = np.empty((experts, groups * 32, outputs))
    for expert, output, group in np.ndindex(experts, outputs, groups):
        power = 2.0 ** (int(scales[expert, output, group]) - 127)
        for place in range(32):
            byte = int(blocks[expert, output, group, place // 2])
            code = byte >> 4 if place % 2 else byte & 15
            numbers[expert, group * 32 + place, output] = code_value(code) * power
    return numbers


def to_float64(weights: torch.Tensor) -> np.ndarray:
    return weights.to(torch.float64).numpy()


@pytest.fixture
def packed():
    """Return random blocks and scales of three experts with 64 inputs and 5 outputs."""
    random = np.random.default_rng(1)
    blocks = random.integers(0, 256, (3, 5, 2, 16), dtype=np.uint8)
    scales = random.integers(100, 130, (3, 5, 2), dtype=np.uint8)
    return torch.from_numpy(blocks), torch.from_numpy(scales)


def test_every_code_with_every_scale_is_the_number_that_float64_says():
    scales = torch.arange(1, 255, dtype=torch.uint8).reshape(1, 254, 1)
    codes = torch.arange(32, dtype=torch.uint8) % 16
    blocks = (codes[::2] | codes[1::2] << 4).expand(1, 254, 1, 16)
    exact = reference(blocks.numpy(), scales.numpy())
    largest = float(torch.finfo(torch.bfloat16).max)
    expected = np.where(np.abs(exact) > largest, np.copysign(np.inf, exact), exact)
    found = to_float64(dequantise(blocks, scales))
    assert np.array_equal(found, expected)
    assert np.array_equal(np.signbit(found), np.signbit(expected))


def test_each_number_is_at_the_place_of_its_expert_input_and_output(packed):
    assert np.array_equal(to_float64(dequantise(*packed)), reference(*(part.numpy() for part in packed)))


def test_unpacked_numbers_stay_in_the_order_of_the_blocks(packed):
    assert torch.equal(unpack(*packed).transpose(1, 2), dequantise(*packed))


def test_transformers_dequantises_to_the_same_bytes(packed):
    from transformers.integrations.mxfp4 import _convert_moe_packed_tensors as convert

    assert torch.equal(dequantise(*packed).view(torch.int16), convert(*packed).view(torch.int16))


@pytest.mark.parametrize("lowest", [0, 100])
def test_weights_that_were_dequantised_come_back_as_they_were(packed, lowest):
    blocks, scales = packed
    weights = dequantise(blocks, scales - 100 + lowest)
    assert torch.equal(dequantise(*quantise(weights)).view(torch.int16), weights.view(torch.int16))


def test_blocks_of_one_code_come_back_as_they_were():
    blocks = torch.arange(16, dtype=torch.uint8).reshape(1, 16, 1, 1).expand(1, 16, 1, 16) * 17
    weights = dequantise(blocks, torch.full((1, 16, 1), 120, dtype=torch.uint8))
    assert torch.equal(dequantise(*quantise(weights)), weights)


def nearest(number: float) -> float:
    """Return the nearest of the grid, of two that are as near the one with an even place."""
    distances = np.abs(GRID - abs(number))
    best = np.flatnonzero(distances == distances.min())
    return float(np.copysign(GRID[min(best, key=lambda place: place % 2)], number))


def test_each_weight_goes_to_the_nearest_number_of_its_scale():
    weights = torch.from_numpy(np.random.default_rng(2).normal(0, 0.02, (2, 64, 3)).astype(np.float32))
    blocks, scales = quantise(weights)
    found = to_float64(dequantise(blocks, scales))
    for expert, place, output in np.ndindex(2, 64, 3):
        block = weights[expert, place // 32 * 32 : place // 32 * 32 + 32, output].double().abs().max()
        power = 2.0 ** (np.floor(np.log2(float(block))) - 2)
        assert found[expert, place, output] == nearest(float(weights[expert, place, output]) / power) * power


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.25, 0), (0.75, 1), (1.25, 1), (1.75, 2), (2.5, 2), (3.5, 4), (5, 4), (7.9, 6), (-0.75, -1), (-5, -4)],
)
def test_a_weight_in_the_middle_goes_to_the_even_code_and_one_above_6_to_6(number, expected):
    block = torch.tensor([4.0, number] + [0.0] * 30).reshape(1, 32, 1)
    assert dequantise(*quantise(block))[0, 1, 0] == expected


def test_a_block_of_zeros_has_scale_0_and_stays_zero():
    blocks, scales = quantise(torch.zeros(1, 32, 1))
    assert not blocks.any()
    assert not scales.any()


def test_the_smallest_weights_take_the_lowest_scale():
    weights = torch.full((1, 32, 1), 2.0**-128)
    blocks, scales = quantise(weights)
    assert not scales.any()
    assert torch.equal(dequantise(blocks, scales).float(), weights)


def test_weights_of_other_types_are_quantised_as_their_float32():
    weights = torch.randn(1, 32, 4, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    assert all(map(torch.equal, quantise(weights), quantise(weights.float())))


def test_a_models_weights_are_packed_under_their_published_names(tmp_path):
    shape = read_shape(write_model_folder(tmp_path) / "config.json")
    weights = {name: torch.ones(kind.shape, dtype=torch.bfloat16) for name, kind in expect_tensors(shape, {}).items()}
    packed = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in pack_weights(weights).items()}
    types = {"U8": torch.uint8, "BF16": torch.bfloat16}
    expected = {name: (types[kind.dtype], kind.shape) for name, kind in expect_tensors(shape, PACKED).items()}
    assert list(packed.items()) == list(expected.items())


def test_inputs_that_are_not_in_whole_blocks_are_refused():
    with pytest.raises(ValueError, match="48 inputs are not in whole blocks of 32"):
        quantise(torch.zeros(1, 48, 1))


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_a_weight_that_is_no_number_is_refused(number):
    with pytest.raises(ValueError, match="a weight is NaN or infinite"):
        quantise(torch.full((1, 32, 1), number))
