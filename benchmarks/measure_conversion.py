"""Measure the speed of converting preference data, beside parsing alone and beside other ways to check it.

    python -m benchmarks.measure_conversion

All figures come from the same made-up files in one go, taken in turns: medians of megabytes (10^6 bytes) of input a
second, and their ratios. Interpreters' starts and imports count only in `whole process`. A file under 16 MB is
converted on one core whatever is asked for.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.run_or_stop import run_or_stop
from benchmarks.time_case import OPTIONS
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
KINDS = ("short", "long")  # rows, a file of each

LABELS = {
    "msgspec": "parsing, msgspec",
    "jsonschema": "json and jsonschema, on a sample",
    "swift": "loading, datasets and ms-swift",
    "one-core": "conversion, one core",
    "process": "conversion, one core, whole process",
    "two-cores": "conversion, two cores",
}
RATIOS = (  # with their goals
    ("one-core", "msgspec", "0.6"),
    ("one-core", "jsonschema", "12"),
    ("one-core", "swift", "more than 1"),
    ("two-cores", "one-core", "1.7"),
)

Rates = dict[str, list[float]]  # MB/s of each round, by case


def convert(pairs: Path) -> dict[str, Any]:
    """Convert a file as people do, on one core; return the account, and the bytes and seconds."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        command = [sys.executable, "-m", "scripts.convert_preferences", pairs, *OPTIONS, "--out", out, "--cores", 1]
        run_or_stop(ROOT, *command)
        seconds = time.perf_counter() - start
        account: dict[str, Any] = json.loads((Path(out) / "quality.json").read_text(encoding="utf-8"))
    return account | {"bytes": pairs.stat().st_size, "seconds": seconds}


def measure(case: str, pairs: Path) -> float:
    """Return the MB/s of a case."""
    if case == "process":
        result = convert(pairs)
    elif case == "swift":
        result = json.loads(
            run_or_stop(ROOT, "envs/with-training", "python", "-m", "benchmarks.time_swift_loading", pairs)
        )
    else:
        result = json.loads(run_or_stop(ROOT, sys.executable, "-m", "benchmarks.time_case", case, pairs))
    return float(result["bytes"] / 1e6 / result["seconds"])


def can_run(case: str) -> bool:
    """Say whether what a case needs is installed."""
    command = [str(ROOT / "envs" / "with-training"), "true"]
    return case != "swift" or not subprocess.run(command, capture_output=True).returncode


def make_file(folder: Path, kind: str, megabytes: float) -> Path:
    """Make up a file of pairs."""
    path = folder / f"{kind}.jsonl"
    run_or_stop(
        ROOT, sys.executable, "-m", "benchmarks.make_preferences", path, "--rows", kind, "--megabytes", megabytes
    )
    return path


def describe(pairs: Path) -> str:
    """Return a file's size, and what a conversion finds in it."""
    account = convert(pairs)
    size, rows = account["bytes"], account["rows_in"]
    found = ", ".join(f"{code}: {count}" for code, count in account["codes"].items()) or "nothing found"
    head = f"{pairs.stem} rows: {size / 1e6:.0f} MB, {rows:,} rows of {size / rows:.0f} bytes"
    return f"{head}; {account['rows_rejected']} rejected; {found}"


def print_tables(rates: dict[str, Rates], rounds: int) -> None:
    """Print the medians, and their ratios."""
    medians = {kind: {case: statistics.median(values) for case, values in rates[kind].items()} for kind in rates}
    print(f"\n{f'MB/s, medians of {rounds}':<56}" + "".join(f"{kind:>8}" for kind in medians))
    for case, label in LABELS.items():
        if case in medians[KINDS[0]]:
            print(f"{label:<56}" + "".join(f"{medians[kind][case]:8.1f}" for kind in medians))
    print(f"\n{'ratio':<56}" + "".join(f"{kind:>8}" for kind in medians) + "  goal")
    for case, other, goal in RATIOS:
        if other in medians[KINDS[0]]:
            ratios = "".join(f"{medians[kind][case] / medians[kind][other]:8.2f}" for kind in medians)
            print(f"{LABELS[case]} / {LABELS[other]}".ljust(56) + f"{ratios}  {goal}")


def main() -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--megabytes", type=float, default=100.0, help="of each file (default: 100)")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        files = {kind: make_file(Path(name), kind, args.megabytes) for kind in KINDS}
        for path in files.values():
            print(describe(path), flush=True)
        rates: dict[str, Rates] = {kind: {case: [] for case in LABELS if can_run(case)} for kind in KINDS}
        for _ in range(args.repeats):
            for kind, path in files.items():
                for case in rates[kind]:
                    rates[kind][case].append(measure(case, path))
    print_tables(rates, args.repeats)
    print(f"\n{os.cpu_count()} cores")


if __name__ == "__main__":
    main()
