"""benchmarks/speed/kernel_times.py: what a GPU did, by kind, and when it did nothing."""

import pytest

from benchmarks.speed.kernel_times import Kernel, kind_of, sum_up

# Two steps: products side by side, a gap of 2 ms, a softmax, and a gap of 4 ms before one more product.
KERNELS = [
    Kernel("sm90_xmma_gemm_bf16", 0, 3000),
    Kernel("nvjet_tst_128x256", 1000, 4000),
    Kernel("cunn_SoftMaxForward", 6000, 8000),
    Kernel("nvjet_tst_128x256", 12_000, 13_000),
]


@pytest.fixture
def summed() -> dict:
    return sum_up(KERNELS[::-1], steps=2)


def test_kernels_of_a_kind_are_added_up_for_a_step(summed):
    assert summed["kinds"]["other products"] == (3 + 3 + 1) / 2
    assert summed["kinds"]["softmax of the head"] == 2 / 2


def test_a_step_lasts_from_its_first_kernel_to_its_last(summed):
    assert summed["milliseconds"] == 13 / 2


def test_a_gap_is_a_time_without_any_kernel_and_is_named_by_those_around_it(summed):
    assert summed["gaps"] == (2 + 4) / 2
    assert summed["longest_gaps"][0] == [4 / 2, "cunn_SoftMaxForward", "nvjet_tst_128x256"]


def test_a_kernel_has_its_time_and_how_often_it_ran(summed):
    assert summed["kernels"][0] == ["nvjet_tst_128x256", 4 / 2, 1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("void cutlass::device_kernel<cutlass::gemm::GroupProblemShape<...>>", "grouped products of the experts"),
        ("dequantise_kernel", "dequantising"),
        ("triton_tem_fused_flex_attention_backward_3", "attention"),
        ("triton_red_fused__to_copy_mean_mul_pow_0", "compiled: norms, gates, gathers, scatters, casts"),
        ("void at::native::vectorized_elementwise_kernel<4, ...>", "not compiled"),
    ],
)
def test_the_kind_of_a_kernel_is_known_by_its_name(name, kind):
    assert kind_of(name) == kind
