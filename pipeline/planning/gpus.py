"""The models of GPU that a plan knows."""

import re
from dataclasses import dataclass

GIB = 1 << 30  # bytes


@dataclass(frozen=True)
class Gpu:
    """A model of GPU."""

    name: str
    memory: float  # bytes that nvidia-smi shows
    tflops: float  # dense bfloat16 products, by the data sheet


# docs/planning.md has the sources.
GPUS = (
    Gpu("h20", 97_871 * 2**20, 148),
    Gpu("h100", 81_559 * 2**20, 989),
    Gpu("h200", 143_771 * 2**20, 989),
)
H100 = GPUS[1]


def find_gpu(gpu_model: str) -> Gpu | None:
    """Return the GPU that `train.gpu_model` names in a cluster's own words, such as nvidia_h100_80gb; None, if none."""
    words = re.split(r"[^a-z0-9]+", gpu_model.lower())
    return next((gpu for gpu in GPUS if gpu.name in words), None)
