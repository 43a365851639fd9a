"""Show the curves of all runs in SwanLab's dashboard on this machine, until Ctrl-C.

    envs/with-training python -m tools.open_board --port 5092

The dashboard reads one folder, which only tracking.mode `local` writes, a folder for each run. So the records of all
runs, which every mode writes, are put into such a folder first, as they are now.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipeline.settings.stage import stage_parser
from pipeline.tracking.swanlab_records import Training, find_trainings, read_records

LOOPBACK = "127.0.0.1"
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
    first = next(read_records(training.files[0])).start
    settings: Any = SimpleNamespace(
        project=SimpleNamespace(name=first.project),
        experiment=SimpleNamespace(name=first.name, description=first.description, color=color),
        run=SimpleNamespace(id=training.id),
    )
    callbacker.on_run_initialized(folder, "", settings)
    ended = False
    for file in training.files:
        shutil.copytree(file.parent / "files", folder / "files", dirs_exist_ok=True)
        records = list(read_records(file))
        callbacker.on_scalar_flush([record.scalar for record in records if record.HasField("scalar")])
        ended = any(record.HasField("finish") for record in records)
    if ended:
        callbacker.on_run_finished("success")


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--host", default=LOOPBACK, help="another address lets others in: the dashboard asks nobody")
    parser.add_argument("--port", default="5092")
    args = parser.parse_args(argv)
    trainings = find_trainings(args.results)
    with tempfile.TemporaryDirectory(prefix="board-") as board:
        fill_board(Path(board), trainings)
        print(f"{len(trainings)} trainings at http://{args.host}:{args.port}, until Ctrl-C", flush=True)
        try:
            done = subprocess.run(["swanlab", "watch", "--host", args.host, "--port", args.port, board], check=False)
        except KeyboardInterrupt:
            return
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
