"""Measure the memory of a conversion of 400 MB and of 4 GB of pairs; takes minutes, and 13 GB of disk.

    python -m benchmarks.measure_memory

The files lie where temporary files do (TMPDIR). This process stays small: a new one is charged with the memory
of the one that it comes from.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.conversion_options import OPTIONS
from pipeline.settings.stage import stage_parser

COPIES = 2.2  # of the input: itself, the pairs, and the columns beside them
COLUMN_BYTES = 10 * 8  # of a row on disk: its place in three columns, its keys in seven


class Use(NamedTuple):
    """The cost of a conversion."""

    rows: int
    seconds: float
    memory: float  # MB at the peak
    disk: float  # MB of temporary files


def wait_for_peak(command: list[str]) -> float:
    """Run a command, and return the memory in MB that it had at its peak; of its own processes, the largest counts."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: stopped with status {process.returncode}")
    return usage.ru_maxrss * 1024 / 1e6


def measure(megabytes: float) -> Use:
    """Make up pairs of this size, and convert them."""
    with tempfile.TemporaryDirectory() as name:
        pairs, out = Path(name) / "pairs.jsonl", Path(name) / "out"
        free = shutil.disk_usage(name).free / 1e6
        if free < megabytes * COPIES:
            sys.exit(f"{name}: {megabytes * COPIES / 1e3:.1f} GB are needed here, {free / 1e3:.1f} GB are free")
        make = [sys.executable, "-m", "benchmarks.make_preferences", str(pairs)]
        subprocess.run([*make, "--rows", "mixed", "--megabytes", str(megabytes)], check=True)
        start = time.perf_counter()
        convert = [sys.executable, "-m", "scripts.convert_preferences", str(pairs), *OPTIONS]
        memory = wait_for_peak([*convert, "--out", str(out), "--cores", "1"])
        seconds = time.perf_counter() - start
        rows = json.loads((out / "quality.json").read_text(encoding="utf-8"))["rows_in"]
        size = (out / "pairs.jsonl").stat().st_size
    return Use(rows, seconds, memory, (rows * COLUMN_BYTES + size) / 1e6)


def main() -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--megabytes", type=float, nargs=2, default=(400, 4000), help="default: 400 4000")
    sizes = parser.parse_args().megabytes

    print(f"{'input':>9} {'rows':>11} {'seconds':>8} {'peak memory':>12} {'temporary disk':>15}", flush=True)
    peaks = []
    for megabytes in sizes:
        used = measure(megabytes)
        peaks.append(used.memory)
        print(
            f"{megabytes:6,.0f} MB {used.rows:11,} {used.seconds:8.1f} {used.memory:9,.0f} MB {used.disk:12,.0f} MB",
            flush=True,
        )
    print(f"peak memory, ratio {peaks[1] / peaks[0]:.2f} (goal: at most 1.20, and under 600 MB)")


if __name__ == "__main__":
    main()
