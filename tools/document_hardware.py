"""Write the table of README.md from the plans of the recipes: which overlay for which GPUs, and what it takes.

python -m tools.document_hardware            write it
python -m tools.document_hardware --check    say whether it is stale, with exit status 1
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.files.tables import markdown_table
from pipeline.models.shape import find_shape
from pipeline.planning.find_fit import SMALL
from pipeline.planning.gpus import GIB, GPUS
from pipeline.planning.hours import training_seconds
from pipeline.planning.inference import plan_inference
from pipeline.planning.tables import hours
from pipeline.planning.tokens import PairTokens
from pipeline.planning.trainings import Pairs, list_trainings, needed_memory
from pipeline.settings.check import load_config, merge

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "README.md"
# Pairs of 2 x 400 tokens, half of them the prompt's: 1,000 to train, and 100 held out.
PAIR = PairTokens(200, 400, 400)
PAIRS = Pairs([PAIR] * 1000, [PAIR] * 100, [])


@dataclass(frozen=True)
class Row:
    """GPUs of about one memory, and the overlay for them."""

    memory: str
    gpus: tuple[str, ...]
    overlay: str
    changes: dict[str, Any] = field(default_factory=dict)
    beside: str = ""  # the changes in words

    @property
    def config(self) -> dict[str, Any]:
        """Return the settings of a run on these GPUs."""
        return merge(load_config([ROOT / "experiments" / f"{self.overlay}.yaml"]), self.changes)


# What gpt-oss-20b-24gb.yaml says of 16 GB, and gpt-oss-120b.yaml of four GPUs.
SIXTEEN = {"train": {"small": SMALL}, "dpo": {"max_length": 1024}}
FOUR = {
    "train": {"gpus": 4, "gpu_model": "h20"},
    "dpo": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1},
    "infer": {"shards": 4},
}
LARGE = ("h100", "a100-80gb", "h20", "rtx-pro-6000")
ROWS = (
    Row("16 GB", ("rtx-5080",), "gpt-oss-20b-24gb", SIXTEEN, ", `train.small` as its comment says"),
    Row("24 or 32 GB", ("rtx-3090", "rtx-4090", "rtx-5090"), "gpt-oss-20b-24gb"),
    Row("40 or 48 GB", ("a100-40gb", "l40s", "a6000"), "gpt-oss-20b-one-gpu"),
    Row("80 or 96 GB", LARGE, "gpt-oss-20b-one-gpu"),
    Row("141 GB or more", ("h200", "b200"), "gpt-oss-20b-one-gpu"),
    Row("4 x 96 GB", ("h20",), "gpt-oss-20b"),
    Row("80 or 96 GB", LARGE, "gpt-oss-120b"),
    Row("4 x 96 GB", ("h20",), "gpt-oss-120b", FOUR, ", GPUs as its head says"),
)


def needed_bytes(row: Row) -> float:
    """Return the bytes of a GPU that a row's training needs."""
    (training,) = list_trainings(row.config, PAIRS)
    return needed_memory(find_shape(row.config["model"]), training)


def describe_row(row: Row) -> list[str]:
    """Return a row of the table."""
    config, gpus = row.config, [gpu for gpu in GPUS if gpu.name in row.gpus]
    shape = find_shape(config["model"])
    (training,) = list_trainings(config, PAIRS)
    trained = [training_seconds(shape, training.flags, gpu, training.load, training.held_out) for gpu in gpus]
    answers = plan_inference(shape, config, PAIRS, own=0)["answers_seconds"]
    return [
        f"{row.memory}: {', '.join(gpu.name.upper().replace('-', ' ') for gpu in gpus)}",
        Path(config["model"]["folder"]).name,
        f"`{row.overlay}`{row.beside}",
        f"{needed_bytes(row) / GIB:.0f}",
        between(trained),
        between([answers[gpu.name] for gpu in gpus]),
    ]


def between(seconds: list[float]) -> str:
    """Return the hours of the fastest and of the slowest."""
    return " to ".join(dict.fromkeys(map(hours, (min(seconds), max(seconds)))))


def render() -> str:
    """Return the whole page."""
    head = ["your GPU", "model", "overlay", "GiB of it", "training, hours", "answers, hours"]
    return fill_parts(PAGE, {"hardware": markdown_table(head, map(describe_row, ROWS))})


if __name__ == "__main__":
    write_or_check(PAGE, render(), __doc__)
