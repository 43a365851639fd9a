"""The swift command of a training, and what it is told of SwanLab."""

import secrets
from pathlib import Path

from pipeline.launch.contract import Tracking
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import training_flags
from pipeline.training.training import Training

# After this time, a process that waits for another gives up and names it. ms-swift's own limit is half a year.
SILENCE_SECONDS = 3600


def training_command(training: Training, sides: list[Path], folder: Path) -> list[str]:
    """Return the arguments of `swift`, which reads its rows from `sides` and writes checkpoints into a folder."""
    train, val = map(str, sides)
    tracked = training.is_tracked
    return [
        *(*training.start, *model_flags(training.model), "--dataset", train),
        *(["--val_dataset", val] if training.holds_out else []),
        *training.flags,
        *("--output_dir", str(folder), "--add_version", "false", "--check_model", "false"),
        # What a model keeps in buffers, such as packed experts, is the same in every process, and never changes.
        *("--ddp_timeout", str(SILENCE_SECONDS), "--ddp_broadcast_buffers", "false"),
        *("--strict", "true", "--report_to", "swanlab" if tracked else "none"),
        *(["--swanlab_project", training.settings["tracking"]["project"]] if tracked else []),
        *training_flags(training.plugins),
    ]


def tracking_of(training: Training, folder: Path) -> Tracking | None:
    """Return the run that SwanLab is to keep, if any."""
    if not training.is_tracked:
        return None
    return Tracking.asked(training.settings["tracking"], training.swanlab, training.run, tracking_id(folder))


def swanlab_host(training: Training) -> dict[str, str]:
    """Return SwanLab's own variable for a server that is not its company's."""
    host = training.settings["tracking"]["host"]
    return {"SWANLAB_API_HOST": host} if host and training.is_tracked else {}


def tracking_id(folder: Path) -> str:
    """Return the id under which SwanLab takes this training and the one that was stopped before for one run."""
    file = folder / "tracking_id"
    if not file.exists():
        file.write_text(secrets.token_hex(10), encoding="utf-8")
    return file.read_text(encoding="utf-8")
