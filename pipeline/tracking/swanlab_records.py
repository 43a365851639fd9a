"""Find SwanLab's records of runs, recorded in any mode, and read them.

A training has a record for each time that it was started; all of them have its id, and together they are one curve.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Training:
    """What SwanLab recorded of a training."""

    run: str  # of the project, a folder of results/
    id: str  # SwanLab's
    files: tuple[Path, ...]  # from the first start to the last


def find_trainings(results: Path, run: str | None = None) -> list[Training]:
    """Return the recorded trainings of a run, or of all; stop with one line if there is none."""
    files = sorted(results.glob(f"{run or '*'}/swanlab/run-*/run-*.swanlab"))
    if not files:
        where = results / (run or "*") / "swanlab"
        sys.exit(f"{where}: no record of a training; is the run's name right, and tracking.mode not disabled?")
    found: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        found.setdefault((file.parts[-4], file.stem.removeprefix("run-")), []).append(file)
    return [Training(*names, tuple(parts)) for names, parts in found.items()]


def find_newest(folder: Path, name: str) -> Training | None:
    """Return the newest run of a name that is recorded in a folder `swanlab`, if there is one."""
    files = sorted(folder.glob("run-*/run-*.swanlab"))
    named = [file for file in files if name_of(file) == name]
    if not named:
        return None
    newest = named[-1].stem
    return Training(
        folder.parent.name, newest.removeprefix("run-"), tuple(file for file in named if file.stem == newest)
    )


def name_of(file: Path) -> str | None:
    """Return the name of the run that a file records; None where it was killed before it had written one."""
    first = next(read_records(file), None)
    return first.start.name if first else None


def read_records(file: Path) -> Iterator[Any]:
    """Yield SwanLab's records from a file, as far as it is whole: it may be written at this moment."""
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record
    from swanlab.sdk.internal.core_python.store import DataStoreReader

    reader = DataStoreReader()
    reader.open(file)
    try:
        for data in reader:
            yield Record.FromString(data)
    finally:
        reader.close()


def is_finished(training: Training) -> bool:
    """Say whether a training was ended by itself, and not killed, or is running."""
    return any(record.HasField("finish") for record in read_records(training.files[-1]))
