"""Upload SwanLab's records of finished trainings to its server.

    SWANLAB_API_KEY=… envs/with-training python -m tools.sync_runs --run tiny

A training that was stopped and went on has several records; they are uploaded as one. An uploaded record is marked
with a file beside it, and left out the next time. SWANLAB_API_HOST names a server of your own.
"""

import subprocess
import sys
from pathlib import Path

from pipeline.settings.stage import stage_parser
from pipeline.tracking.swanlab_records import Training, find_trainings, is_finished

MARK = "uploaded"
# What `swanlab sync` prints after a failure, although it exits with status 0.
FAILED = ("did not finish", "Failed to")


def require_key() -> None:
    """Stop with one line if SwanLab knows no key."""
    import swanlab

    if not swanlab.Settings().api_key:
        sys.exit("SWANLAB_API_KEY: not set; export it, or run: envs/with-training swanlab login")


def upload(training: Training) -> str:
    """Upload the records of a training that are not marked; return the reason in a line if that failed."""
    for file in training.files:
        mark = file.parent / MARK
        if mark.exists():
            continue
        said = subprocess.run(
            ["swanlab", "sync", "--id", training.id, str(file.parent)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = [line.strip() for line in said.stdout.splitlines() if line.strip()]
        if reason := next((line for line in lines if any(words in line for words in FAILED)), ""):
            return reason
        if said.returncode:
            return lines[-1] if lines else f"status {said.returncode}"
        mark.touch()
    return ""


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--run", help="of this run alone")
    args = parser.parse_args(argv)
    trainings = find_trainings(args.results, args.run)
    require_key()
    for training in trainings:
        name = f"{training.run} ({training.id})"
        if not is_finished(training):
            print(f"{name}: not finished, so not uploaded", flush=True)
            continue
        if reason := upload(training):
            sys.exit(f"{name}: not uploaded: {reason}")
        print(f"{name}: uploaded", flush=True)


if __name__ == "__main__":
    main()
