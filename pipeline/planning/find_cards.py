"""Find the GPUs that an experiment is for: those of this machine, or those that a user names."""

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass

from pipeline.planning.gpus import GPUS, find_gpu

QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Cards:
    """Some GPUs of one model: its name, the bytes of its memory, and how many."""

    name: str
    memory: int
    count: int

    def __str__(self) -> str:
        return f"{self.count} x {self.name}"


def list_cards() -> Cards | None:
    """Return the GPUs of this machine that nvidia-smi lists, of several models the most common; None without any."""
    if not shutil.which(QUERY[0]):
        return None
    listed = subprocess.run(QUERY, capture_output=True, text=True, check=False)
    lines = [line.rpartition(",") for line in listed.stdout.splitlines()]
    found = Counter((name.strip(), int(memory)) for name, _, memory in lines if memory.strip().isdigit())
    if not found:
        return None
    ((name, mebibytes), count) = found.most_common(1)[0]
    gpu = find_gpu(name)
    return Cards(gpu.name if gpu else short_name(name), mebibytes * 2**20, count)


def short_name(name: str) -> str:
    """Return the name of a GPU that plans do not know, in the form of those that they do."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower().replace("nvidia", "")))


def name_cards(name: str, count: str) -> Cards:
    """Return the GPUs that a user names, a100-80gb; ValueError, in one line, if no one model has that name."""
    gpu = find_gpu(name)
    if gpu is None:
        raise ValueError(f"GPU={name}: not the name of one model; take one of {', '.join(gpu.name for gpu in GPUS)}")
    if not count.isdecimal() or int(count) < 1:
        raise ValueError(f"GPUS={count}: not a number of GPUs; take 1 or more")
    return Cards(gpu.name, gpu.memory, int(count))
