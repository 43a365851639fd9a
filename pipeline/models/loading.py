"""Note what the loading of a model took: seconds, memory of the machine, and packed experts.

A line in the job's log says it, and results/<run>/stages.csv reads it there; SwanLab has it from a training.
"""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

GIB = 1 << 30
SAMPLE_SECONDS = 0.02
LINE = re.compile(r"Loaded in ([\d.]+) s: ([\d.]+) GiB of packed experts, ([\d.]+) GiB of the machine's memory\b")
# Of this process, without pages of files, in kB; Linux alone tells it.
ANONYMOUS = re.compile(r"^RssAnon:\s*(\d+)", re.MULTILINE)
STATUS = Path("/proc/self/status")


class Loading(NamedTuple):
    """What it took: seconds, GiB of packed experts, and the most that this process had of the machine's memory.

    Pages of files are not counted, since the system drops them when others need the memory.
    """

    seconds: float
    packed_gib: float
    memory_gib: float

    def __str__(self) -> str:
        seconds, packed, memory = self
        return (
            f"Loaded in {seconds:.1f} s: {packed:.4f} GiB of packed experts, {memory:.2f} GiB of the machine's memory"
        )


def print_loading(loading: Loading) -> None:
    """Print the line."""
    print(loading, flush=True)


# Who is told of a loading.
listeners: list[Callable[[Loading], None]] = [print_loading]


def read_loading(log: Path) -> Loading | None:
    """Return the figures of a job's log: where several processes loaded, the most of each; None if none did."""
    if not log.is_file():
        return None
    found = LINE.findall(log.read_text(encoding="utf-8", errors="replace"))
    return Loading(*(max(map(float, values)) for values in zip(*found, strict=True))) if found else None


class MemoryPeak:
    """Samples the memory of this process, in a thread, while a block runs; `gib` is the most that it saw."""

    def __init__(self) -> None:
        self.gib = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample(self) -> None:
        """Look until the block has ended."""
        while STATUS.is_file():
            match = ANONYMOUS.search(STATUS.read_text())
            self.gib = max(self.gib, int(match[1]) * 1024 / GIB if match else 0)
            if self.ended.wait(SAMPLE_SECONDS):
                return

    def __enter__(self) -> "MemoryPeak":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


def packed_gib(model: Any) -> float:
    """Return how much the packed experts of a model take, in GiB."""
    from pipeline.models.packed_experts import PackedExperts

    layers = (module for module in model.modules() if isinstance(module, PackedExperts))
    return float(sum(buffer.nbytes for layer in layers for buffer in layer.buffers()) / GIB)


def note_loading() -> None:
    """Have every model that transformers loads from a folder noted; once is enough, and more does no harm."""
    from transformers import PreTrainedModel

    load = PreTrainedModel.from_pretrained.__func__
    if load.__name__ == "load_and_note":
        return

    def load_and_note(cls: Any, *args: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        with MemoryPeak() as peak:
            found = load(cls, *args, **named)
        model = found[0] if isinstance(found, tuple) else found  # with output_loading_info, what was missing beside it
        loading = Loading(time.perf_counter() - begun, packed_gib(model), peak.gib)
        for listener in listeners:
            listener(loading)
        return found

    PreTrainedModel.from_pretrained = classmethod(load_and_note)
