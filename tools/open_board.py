"""Show the curves of all runs in SwanLab's dashboard on this machine, until Ctrl-C.

    envs/with-training python -m tools.open_board --port 5092

The dashboard reads one folder, which only tracking.mode `local` writes, a folder for each run. So the records of all
runs, which every mode writes, are put into such a folder first, as they are now.
"""

import shutil
import subprocess
import sys
import tempfile
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipeline.serving.address import LOOPBACK, read_port
from pipeline.settings.stage import stage_parser
from pipeline.tracking.swanlab_records import Training, find_trainings, is_finished, read_records

FIRST = (
    "train/loss",
    "eval/loss",
    "rewards/accuracies",
    "rewards/margins",
    "rewards/",
)  # parts of the keys of the first charts
LAST = 9
COLORS = ("#528d59", "#587ad2", "#c24d46", "#9cbe5d", "#6ebad3", "#dfb142", "#6d4ba4", "#8cc5b7")


def fill_board(board: Path, trainings: list[Training]) -> None:
    """Write the records of trainings into an empty folder, as the dashboard reads them."""
    for number, training in enumerate(trainings):
        add_training(board / f"run-{number}-{training.id}", training, COLORS[number % len(COLORS)])


def add_training(folder: Path, training: Training, color: str) -> None:
    """Add the curves of a training, and its settings, as SwanLab's own mode `local` would."""
    from swanlab.deprecated.local import LocalCallbacker

    callbacker = LocalCallbacker()
    callbacker._check_exp_status = lambda: None  # asks the database, for every figure, whether somebody stopped it
    records = [record for file in training.files for record in read_records(file)]
    first = next(record.start for record in records if record.HasField("start"))
    settings: Any = SimpleNamespace(
        project=SimpleNamespace(name=first.project),
        experiment=SimpleNamespace(name=first.name, description=first.description, color=color),
        run=SimpleNamespace(id=training.id),
    )
    callbacker.on_run_initialized(folder, "", settings)
    for file in training.files:
        shutil.copytree(file.parent / "files", folder / "files", dirs_exist_ok=True)
    # The dashboard shows charts in the order of their first figures.
    callbacker.on_scalar_flush(sorted((record.scalar for record in records if record.HasField("scalar")), key=rank))
    if is_finished(training):
        callbacker.on_run_finished("success")
    keep_times(callbacker.exp, first.started_at, records[-1].timestamp)


def rank(scalar: Any) -> tuple[int, str]:
    """Return the place of a figure: loss and rewards first, then what else the training logs, the machine last."""
    key = scalar.key
    if key.startswith("__swanlab__"):
        return LAST, key
    return next((place for place, part in enumerate(FIRST) if part in key), len(FIRST)), ""


def keep_times(experiment: Any, start: Any, end: Any) -> None:
    """Give an experiment the times of its training, not those of this copy of it."""
    experiment.create_time, experiment.update_time = (time.ToDatetime(UTC).isoformat() for time in (start, end))
    if experiment.finish_time:
        experiment.finish_time = experiment.update_time
    type(experiment).bulk_update([experiment], ["create_time", "update_time", "finish_time"])


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--host", default=LOOPBACK, help="another address lets others in: the dashboard asks nobody")
    parser.add_argument("--port", default="5092")
    args = parser.parse_args(argv)
    port = str(read_port(args.port))
    trainings = find_trainings(args.results)
    with tempfile.TemporaryDirectory(prefix="board-") as board:
        fill_board(Path(board), trainings)
        number = "1 training" if len(trainings) == 1 else f"{len(trainings)} trainings"
        print(f"{number} at http://{args.host}:{port}, until Ctrl-C", flush=True)
        try:
            done = subprocess.run(["swanlab", "watch", "--host", args.host, "--port", port, board], check=False)
        except KeyboardInterrupt:
            return
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
