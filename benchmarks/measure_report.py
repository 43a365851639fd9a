"""Measure time, memory and page size of a report of 100,000 answers.

    python -m benchmarks.measure_report

The rows are made up (make_evaluated_run.py); with --long, each answer is as long as 2,048
tokens, which takes 2 GB of disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.make_evaluated_run import report_arguments
from benchmarks.measure_memory import wait_for_peak

LONG = 25  # times an answer of some 40 words


def lengthen(answers: Path) -> None:
    """Repeat every answer in a file, so that it has some thousand words."""
    partial = answers.with_suffix(".partial")
    with answers.open(encoding="utf-8") as rows, partial.open("w", encoding="utf-8") as out:
        for line in rows:
            row = json.loads(line)
            row["answers"] = {model: " ".join([text] * LONG) for model, text in row["answers"].items()}
            out.write(json.dumps(row) + "\n")
    partial.replace(answers)


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--long", action="store_true", help="answers of thousands of characters")
    parser.add_argument("--keep", type=Path, help="where to put the page, to open it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "results" / "made-up"
        # A process of its own: a new one is charged with the memory of the one that it comes from.
        make = [sys.executable, "-m", "benchmarks.make_evaluated_run", str(folder)]
        subprocess.run([*make, "--rows", str(args.rows)], check=True)
        answers = folder / "evaluate" / "answers.jsonl"
        if args.long:
            lengthen(answers)
        start, before = time.perf_counter(), os.times()
        memory = wait_for_peak([sys.executable, "-m", "scripts.write_report", *report_arguments(folder)])
        seconds, after = time.perf_counter() - start, os.times()
        processor = after.children_user + after.children_system - before.children_user - before.children_system
        page = folder / "report.html"
        print(f"{args.rows:,} rows, {answers.stat().st_size / 1e6:,.0f} MB")
        print(f"{seconds:.1f} s, {processor:.1f} s of them on a processor; {memory:,.0f} MB at the peak")
        print(f"the page has {page.stat().st_size / 1e6:.1f} MB")
        if args.keep:
            page.replace(args.keep)


if __name__ == "__main__":
    main()
