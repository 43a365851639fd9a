"""planning/gpus.py: the GPU that a cluster's words name."""

import pytest

from pipeline.planning.gpus import GPUS, find_gpu


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
def test_every_gpu_is_known_by_its_own_name(gpu):
    assert find_gpu(gpu.name) is gpu


@pytest.mark.parametrize(
    ("said", "name"),
    [
        # What nvidia-smi says, what Slurm finds by itself, and what administrators write.
        ("NVIDIA GeForce RTX 5080", "rtx-5080"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("nvidia_geforce_rtx_4090", "rtx-4090"),
        ("rtx4090", "rtx-4090"),
        ("geforce_rtx_5090", "rtx-5090"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("nvidia_a100-pcie-40gb", "a100-40gb"),
        ("NVIDIA-A100-SXM4-80GB", "a100-80gb"),
        ("a100_80g", "a100-80gb"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA RTX A6000", "a6000"),
        ("nvidia_rtx_pro_6000_blackwell_server_edition", "rtx-pro-6000"),
        ("NVIDIA H20", "h20"),
        ("H100", "h100"),
        ("nvidia_h100_80gb_hbm3", "h100"),
        ("nvidia_h200_141gb", "h200"),
        ("NVIDIA B200", "b200"),
        ("b200-180gb", "b200"),
    ],
)
def test_a_gpu_is_known_by_the_words_of_a_cluster(said, name):
    gpu = find_gpu(said)
    assert gpu and gpu.name == name


@pytest.mark.parametrize(
    "said",
    [
        "a100",  # of 40 or of 80 GB
        "nvidia_a100_3g.20gb",  # a part of one
        "h100_1g.10gb",
        "h20-141gb",  # another H20
        "gh200",
        "l40",
        "rtx_6000_ada",
        "v100",
    ],
)
def test_what_names_no_gpu_or_several_is_not_known(said):
    assert find_gpu(said) is None
