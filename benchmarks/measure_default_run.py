"""Measure the default run from scratch, and a run that finds nothing to do, and print their ratio.

    make bench

The run is config.yaml's under the name `bench`; its results are removed before and after.
"""

import csv
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.run_or_stop import run_or_stop

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "bench"
REPEATS = 5


def time_snakemake(folder: Path, *arguments: str) -> float:
    """Return the seconds that `snakemake` takes in a folder."""
    start = time.perf_counter()
    run_or_stop(folder, "snakemake", *arguments)
    return time.perf_counter() - start


def stage_seconds() -> dict[str, float]:
    """Return the seconds of each stage of the run, from Snakemake's benchmark files."""
    seconds = {}
    for path in sorted((RESULTS / "benchmarks").glob("*.tsv")):
        with path.open(encoding="utf-8") as lines:
            seconds[path.stem] = sum(float(row["s"]) for row in csv.DictReader(lines, delimiter="\t"))
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        overlay = scratch / "bench.yaml"
        overlay.write_text("run: bench\n", encoding="utf-8")
        (scratch / "Snakefile").touch()
        arguments = ("--cores", "all", "--configfile", str(overlay))

        shutil.rmtree(RESULTS, ignore_errors=True)
        whole = time_snakemake(ROOT, *arguments)
        stages = stage_seconds()
        pairs = [(time_snakemake(ROOT, *arguments), time_snakemake(scratch, "--cores", "1")) for _ in range(REPEATS)]
        shutil.rmtree(RESULTS)

    no_op, empty = (statistics.median(times) for times in zip(*pairs, strict=True))
    for stage, seconds in stages.items():
        print(f"{stage:<22} {seconds:7.1f} s")
    print(f"{'default run':<22} {whole:7.1f} s   stages' own work: {sum(stages.values()) / whole:.0%} of it")
    print(f"{'nothing to do':<22} {no_op:7.2f} s   an empty Snakefile: {empty:.2f} s, ratio {no_op / empty:.2f}")


if __name__ == "__main__":
    main()
