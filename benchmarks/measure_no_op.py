"""Measure how long make, Snakemake and DVC take to find nothing to do, for sweeps of several sizes.

    python -m benchmarks.measure_no_op
    python -m benchmarks.measure_no_op --runs 10 100 --repeats 5

All of them check the same graph, one rule (or stage) a run that copies raw/<n>.txt to results/<n>/out.txt, in one
go, taken in turns: medians of seconds, starts of the interpreters included, and their ratios to make. Every command
has to say that there is nothing to do. The files lie where temporary files do (TMPDIR), outside the project.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.run_or_stop import run_or_stop
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent  # not resolved: in a virtual environment it's a link to another folder's Python
FOREIGN = ("DVC_", "GIT_", "MAKE", "MFLAGS", "SNAKEMAKE_")  # variables that would set what is measured


class Check(NamedTuple):
    """A command that finds nothing to do, and what it says then and may not say."""

    command: tuple[str, ...]
    says: str
    never: str


MAKE = Check(("make",), "Nothing to be done for 'all'", "cp ")
CHECKS = (
    MAKE,
    # Without records of the jobs it compares times alone, and has less to do.
    Check((str(BIN / "snakemake"), "--dry-run", "--cores", "1"), "Nothing to be done", "missing provenance"),
    Check((str(BIN / "dvc"), "status"), "Data and pipelines are up to date.", "changed"),
    Check((str(BIN / "dvc"), "repro"), "Data and pipelines are up to date.", "Running stage"),
)

SNAKEFILE = """\
rule all:
    input:
        expand("results/{{run}}/out.txt", run=range({count})),


rule copy:
    input:
        "raw/{{run}}.txt",
    output:
        "results/{{run}}/out.txt",
    shell:
        "cp {{input}} {{output}}"
"""
RULE = "results/{n}/out.txt: raw/{n}.txt\n\tcp raw/{n}.txt results/{n}/out.txt\n"
STAGE = """\
  run-{n}:
    cmd: cp raw/{n}.txt results/{n}/out.txt
    deps: [raw/{n}.txt]
    outs: [results/{n}/out.txt]
"""

Times = dict[int, dict[Check, list[float]]]  # seconds of each round, by number of runs and check


def label(check: Check) -> str:
    """Return a check's command as one types it."""
    return " ".join((Path(check.command[0]).name, *check.command[1:]))


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder and return its output; end with its last words if it fails."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    settings["LC_ALL"] = "C.UTF-8"  # make would speak the user's language
    return run_or_stop(folder, *command, env=settings, stderr=subprocess.STDOUT)


def make_graph(folder: Path, count: int) -> None:
    """Write the runs' inputs and outputs, and the graph for each engine."""
    for n in range(count):
        raw, out = folder / "raw" / f"{n}.txt", folder / "results" / str(n) / "out.txt"
        for path in (raw, out):  # inputs first: outputs may not be older
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{n}\n", encoding="utf-8")
    outputs = " ".join(f"results/{n}/out.txt" for n in range(count))
    rules = "".join(RULE.format(n=n) for n in range(count))
    stages = "".join(STAGE.format(n=n) for n in range(count))
    (folder / "Snakefile").write_text(SNAKEFILE.format(count=count), encoding="utf-8")
    (folder / "Makefile").write_text(f".PHONY: all\nall: {outputs}\n{rules}", encoding="utf-8")
    (folder / "dvc.yaml").write_text(f"stages:\n{stages}", encoding="utf-8")


def record(folder: Path) -> None:
    """Let Snakemake and DVC record the outputs as made, without making them."""
    snakemake, dvc = str(BIN / "snakemake"), str(BIN / "dvc")
    run(folder, "git", "init", "--quiet")
    run(folder, dvc, "init", "--quiet")
    for setting, value in (("core.analytics", "false"), ("core.check_update", "false")):
        run(folder, dvc, "config", setting, value)
    # Forced, as Snakemake records nothing for files that are up to date; first, as it changes the files' times.
    run(folder, snakemake, "--touch", "--forceall", "--cores", "2", "--quiet", "all")
    run(folder, dvc, "commit", "--force", "--quiet")


def measure(folder: Path, check: Check) -> float:
    """Return the seconds that a check takes; end if it finds something to do."""
    start = time.perf_counter()
    said = run(folder, *check.command)
    seconds = time.perf_counter() - start
    if check.says not in said or check.never in said:
        sys.exit(f"{label(check)}: found something to do in {folder}\n{said[-2000:]}")
    return seconds


def measure_sweep(count: int, repeats: int) -> dict[Check, list[float]]:
    """Return the seconds of all checks of `count` runs, taken in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        if folder.is_relative_to(ROOT.resolve()):
            sys.exit(f"{folder}: lies in the project, whose git and DVC would be found here; set TMPDIR to another")
        make_graph(folder, count)
        start = time.perf_counter()
        record(folder)
        print(f"{count:,} runs recorded in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        seconds: dict[Check, list[float]] = {check: [] for check in CHECKS}
        for _ in range(repeats):
            for check in CHECKS:
                seconds[check].append(measure(folder, check))
    return seconds


def print_table(times: Times, repeats: int) -> None:
    """Print the medians, and their ratios to make."""
    medians = {count: {check: statistics.median(times[count][check]) for check in CHECKS} for count in times}
    heads = "".join(f"{f'{count:,} runs':>13}{'/ make':>9}" for count in medians)
    print(f"{f'seconds, medians of {repeats}':<30}{heads}")
    for check in CHECKS:
        cells = "".join(f"{row[check]:13.3f}{row[check] / row[MAKE]:9,.0f}" for row in medians.values())
        print(f"{label(check):<30}{cells}")


def at_least_one(text: str) -> int:
    """Read a number of runs or repeats."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def main() -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--runs", type=at_least_one, nargs="+", default=[10, 100, 1000], help="default: 10 100 1000")
    parser.add_argument("--repeats", type=at_least_one, default=3, help="default: 3")
    args = parser.parse_args()

    times = {count: measure_sweep(count, args.repeats) for count in args.runs}
    print_table(times, args.repeats)
    print(f"\n{os.cpu_count()} cores")


if __name__ == "__main__":
    main()
