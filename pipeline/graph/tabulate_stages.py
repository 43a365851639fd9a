"""Tabulate the cost of each job of a run: seconds, memory of the machine, in a training of the GPU, and of loading.

Snakemake measured the first two into results/<run>/benchmarks/, the training itself the third; what loading a model
took, and how much its packed experts take, stands in the log of the job. The table is
results/<run>/stages.csv, longest first; no rule reads it, since no two runs take the same time.
"""

import csv
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from pipeline.files.tables import write_table
from pipeline.models.loading import read_loading
from pipeline.report.numbers_in_words import show_duration

COLUMNS = ("job", "seconds", "memory_gib", "gpu_memory_gib")
LOADING = ("loading_seconds", "packed_gib", "loading_memory_gib")
SHOWN = 8

Row = dict[str, Any]


def read_benchmark(path: Path) -> Row:
    """Return the row of a job from Snakemake's table of it, results/<run>/benchmarks/<job>.tsv."""
    with path.open(encoding="utf-8", newline="") as table:
        row = next(csv.DictReader(table, delimiter="\t"))
    logs = path.parents[1] / "logs"
    speed = logs / f"{path.stem}.speed.jsonl"
    peaks = [step["memory_gib"] for step in read_json_lines(speed) if "memory_gib" in step] if speed.is_file() else []
    # A job of less than a second may end before it is looked at: Snakemake writes NA.
    memory = round(float(row["max_rss"]) / 1024, 2) if row["max_rss"] not in ("NA", "-") else None
    loading = read_loading(logs / f"{path.stem}.log") or (None,) * len(LOADING)
    figures = (path.stem, float(row["s"]), memory, max(peaks, default=None), *loading)
    return dict(zip(COLUMNS + LOADING, figures, strict=True))


def describe_stages(run: str, rows: list[Row]) -> str:
    """Return the jobs that took longest as lines, with where all of them are."""
    shown = rows[:SHOWN]
    width = max(len(row["job"]) for row in shown)
    lines = ["What took longest:"]
    for row in shown:
        memory = "" if row["memory_gib"] is None else f"{row['memory_gib']:5.1f} GiB"
        gpu = "" if row["gpu_memory_gib"] is None else f", {row['gpu_memory_gib']:.1f} GiB of a GPU"
        lines.append(f"  {row['job']:<{width}} {show_duration(row['seconds']):>12} {memory}{gpu}".rstrip())
    return "\n".join([*lines, f"  all {len(rows)} jobs: results/{run}/stages.csv"])


def tabulate_stages(benchmarks: Iterable[Path]) -> str:
    """Write the table of each run whose jobs' benchmarks are named; return it in words, or of several where they are.

    Jobs without a benchmark are left out: DVC fetched their results, which were computed elsewhere.
    """
    runs: dict[str, list[Row]] = {}
    for path in sorted(set(benchmarks)):
        if path.is_file():
            runs.setdefault(path.parts[1], []).append(read_benchmark(path))
    for run, rows in runs.items():
        rows.sort(key=itemgetter("seconds"), reverse=True)
        write_table(Path("results", run, "stages.csv"), rows)
    if len(runs) == 1:
        return describe_stages(*runs.popitem())
    return f"What each job took: results/<run>/stages.csv, of {len(runs)} runs" if runs else ""
