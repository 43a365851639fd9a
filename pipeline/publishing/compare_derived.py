"""Compare results that follow from others: they may differ where those do, and must not where those are the same.

`one` and `two` lie where they lie in results/<run>/, beside those that they follow from. What is the same in both runs
may be missing beside `one`, which is fetched.
"""

import math
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from pipeline.publishing.difference import SAME_VALUES, Difference
from pipeline.report.curves import chart_training


def compare_plots(one: Path, two: Path) -> Difference:
    """Return whether a plot looks otherwise because the points of its chart differ."""
    for stage in ("sft", "dpo"):
        curves = [plot.parents[1] / stage / "curves.jsonl" for plot in (one, two)]
        if differs(*curves) and read_points(curves[0], stage, one.stem) != read_points(curves[1], stage, two.stem):
            return Difference(0.0, math.inf, "is drawn from figures that differ")
    return Difference(math.inf, 0.0, "is drawn otherwise, from the same figures")


def read_points(curves: Path, stage: str, name: str) -> Any:
    """Return the points of a training's chart, None if there is no chart of that name."""
    charts = chart_training(read_json_lines(curves), "" if stage == "dpo" else stage)
    return next((chart.points for chart in charts if chart.file == name), None)


def compare_manifests(one: Path, two: Path) -> Difference:
    """Return whether a manifest differs in the hashes of those files alone that differ."""
    first, second = map(read_hashes, (one, two))
    if first.keys() != second.keys():
        return Difference(math.inf, 0.0, "names other files")
    changed = [name for name in first if first[name] != second[name]]
    if not changed:
        return SAME_VALUES
    for name in changed:
        if not differs(one.parent / name, two.parent / name):
            return Difference(math.inf, 0.0, f"has another hash of {name}, which is the same byte for byte")
    return Difference(len(changed) / len(first), math.inf, f"holds the hashes of {len(changed)} files that differ")


def differs(one: Path, two: Path) -> bool:
    """Say whether a file differs; of a folder that is the same, nothing is fetched."""
    return one.is_file() and two.is_file() and not same_bytes(one, two)


def read_hashes(manifest: Path) -> dict[str, str]:
    """Return the hash of each file that a manifest names."""
    lines = (line.partition("  ") for line in manifest.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, _, name in lines}


def same_bytes(one: Path, two: Path) -> bool:
    """Say whether two files are the same byte for byte."""
    return one.read_bytes() == two.read_bytes()
