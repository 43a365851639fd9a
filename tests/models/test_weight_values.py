"""models/weight_values.py: NaN, infinity, and packed numbers that bfloat16 does not have."""

import numpy as np
import pytest

from pipeline.models.weight_file import Kind, read_header, write_weights
from pipeline.models.weight_values import find_bad_number

BF16_ONE, F32_ONE = 0x3F80, 0x3F800000


@pytest.fixture
def problem_of(tmp_path):
    """Return a function from tensors, each an array of bits, to the problem of a file that holds them."""

    def find(**tensors: np.ndarray) -> str | None:
        types = {np.uint8: "U8", np.uint16: "BF16", np.uint32: "F32"}
        kinds = {name: Kind(types[bits.dtype.type], bits.shape) for name, bits in tensors.items()}
        write_weights(tmp_path / "f", kinds, [bits.tobytes() for bits in tensors.values()])
        return (find_bad_number(read_header(tmp_path / "f")) or "").removeprefix(f"{tmp_path}/")

    return find


def numbers(kind: type, number: int, one: int, size: int = 5_000_000) -> np.ndarray:
    """Return ones, with another number near the end."""
    bits = np.full(size, one, kind)
    bits[-2] = number
    return bits


@pytest.mark.parametrize("number", [0x7FC0, 0xFFC0, 0x7F80, 0xFF80, 0x7F81])
def test_nan_and_infinity_in_bfloat16_are_found_wherever_they_are(problem_of, number):
    assert (
        problem_of(w=numbers(np.uint16, number, BF16_ONE))
        == "f: w has NaN or infinity; fetch the model's weights again"
    )


@pytest.mark.parametrize("number", [0x7FC00000, 0xFF800000])
def test_nan_and_infinity_in_float32_are_found(problem_of, number):
    assert problem_of(w=numbers(np.uint32, number, F32_ONE, 10)).startswith("f: w has NaN or infinity; ")


@pytest.mark.parametrize("number", [0x7F7F, 0xFF7F, 0x8000, 0x0001])
def test_the_largest_numbers_negative_zero_and_the_smallest_are_numbers(problem_of, number):
    assert not problem_of(w=numbers(np.uint16, number, BF16_ONE, 10))


def packed(scale: int, code: int) -> dict[str, np.ndarray]:
    """Return scales and blocks; one block has this scale, and a number with this code."""
    scales, blocks = np.full((1, 3, 2), 120, np.uint8), np.zeros((1, 3, 2, 16), np.uint8)
    scales[0, 2, 0], blocks[0, 2, 0, 5] = scale, code << 4
    blocks[0, 2, 1] = 0x77  # another block
    return {"p_scales": scales, "p_blocks": blocks}


@pytest.mark.parametrize("code", [4, 5, 6, 7, 12, 15])
@pytest.mark.parametrize("scale", [252, 253, 254])
def test_a_scale_is_refused_where_a_number_of_its_block_is_beyond_bfloat16(problem_of, scale, code):
    beyond = (2, 3, 4, 6)[code % 4] * 2.0 ** (scale - 127) >= 2.0**128
    said = problem_of(**packed(scale, code))
    expected = (
        f"f: p_scales has {scale}, which takes numbers beyond the range of bfloat16; fetch the model's weights again"
    )
    assert said == (expected if beyond else "")


@pytest.mark.parametrize("code", [0, 7])
def test_scale_255_is_nan_whatever_its_block_holds(problem_of, code):
    assert problem_of(**packed(255, code)).startswith("f: p_scales has 255, which is NaN; ")


def test_the_first_tensor_by_name_is_named(problem_of):
    bad = numbers(np.uint16, 0x7FC0, BF16_ONE, 10)
    assert problem_of(z=bad, b=bad, a=numbers(np.uint16, BF16_ONE, BF16_ONE, 10)).startswith("f: b has ")
