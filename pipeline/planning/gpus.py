"""The models of GPU that a plan knows."""

import re
from dataclasses import dataclass

GIB = 1 << 30  # bytes


@dataclass(frozen=True)
class Gpu:
    """A model of GPU."""

    name: str
    mebibytes: int  # of memory, that nvidia-smi shows
    tflops: float  # dense bfloat16 products, summed in float32, by the data sheet
    bandwidth: float  # of its memory in bytes a second, by the data sheet
    words: str = ""  # of its name in nvidia-smi and in clusters, where that is not the name here

    @property
    def memory(self) -> int:
        """Return the bytes of its memory."""
        return self.mebibytes * 2**20

    def is_meant(self, said: str) -> bool:
        """Return whether `said` names it, in small letters, perhaps with its memory: `nvidia h100 80gb hbm3`."""
        words = (self.words or self.name.replace("-", " ")).replace(" ", " ?")
        sizes = [int(size) for size in re.findall(r"\b(\d+)gb?\b", said)]
        return bool(re.search(rf"\b{words}\b", said)) and all(abs(size * GIB / self.memory - 1) < 0.1 for size in sizes)


# Sources: NVIDIA's whitepapers of GA102 (3090, A6000), Ada (4090) and RTX Blackwell (5080, 5090, RTX PRO 6000), and its
# data sheets of A100 (the 80 GB one of SXM), L40S, H100 and H200 (SXM) and HGX B200. For H20 there is none in public:
# what its sellers say. The memory is what outputs of nvidia-smi show that people have published; docs/planning.md.
GPUS = (
    Gpu("rtx-5080", 16_303, 112.6, 960e9),
    Gpu("rtx-3090", 24_576, 71, 936e9),
    Gpu("rtx-4090", 24_564, 165.2, 1008e9),
    Gpu("rtx-5090", 32_607, 209.5, 1792e9),
    Gpu("a100-40gb", 40_960, 312, 1555e9, "a100"),
    Gpu("l40s", 46_068, 362, 864e9),
    Gpu("a6000", 49_140, 154.8, 768e9),
    Gpu("h100", 81_559, 989, 3350e9),
    Gpu("a100-80gb", 81_920, 312, 2039e9, "a100"),
    Gpu("h20", 97_871, 148, 4000e9),
    Gpu("rtx-pro-6000", 97_887, 503.8, 1792e9),
    Gpu("h200", 143_771, 989, 4800e9),
    Gpu("b200", 183_359, 2250, 8000e9),
)
# What this project measured on. Other GPUs are scaled from them by their data sheets.
MEASURED = ("h100", "h200")
H100 = next(gpu for gpu in GPUS if gpu.name == "h100")


def find_gpu(gpu_model: str) -> Gpu | None:
    """Return the GPU that `train.gpu_model` names in a cluster's own words, such as nvidia_h100_80gb.

    None where none of these has that name, or several have: an A100 has 40 or 80 GB.
    """
    said = " ".join(re.findall(r"[a-z0-9]+", gpu_model.lower()))
    meant = [gpu for gpu in GPUS if gpu.is_meant(said)]
    return meant[0] if len(meant) == 1 else None
