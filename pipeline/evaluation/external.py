"""Read the results that lm-evaluation-harness or EvalScope wrote for a model, as figures.

lm-evaluation-harness writes one results_*.json for all its tasks, with a standard error where it has one; EvalScope a
report for each data set, without any.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from pipeline.evaluation.figures import DIGITS, Figure
from pipeline.files.json_files import read_json

Figures = dict[str, Figure]

EACH_SIDE = (-1.96, 1.96)  # standard errors of a normal distribution's 95 % interval
WRITTEN_BY = "lm-evaluation-harness (results_*.json) or EvalScope (a report's JSON)"


def read_external(files: Mapping[str, list[Path]]) -> dict[str, Any]:
    """Return the figures of each model from its files, and the differences between each two models."""
    found = {model: read_figures(paths) for model, paths in files.items()}
    return {
        "external": found,
        "comparisons": {f"{two}-{one}": compare(found[one], found[two]) for one, two in combinations(found, 2)},
    }


def read_figures(paths: list[Path]) -> Figures:
    """Return the figures in the files of one model; stop with one line at a file of another kind."""
    found: Figures = {}
    for path in paths:
        try:
            figures = dict(list_figures(read_json(path), path))
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}; name the results in evaluate.external")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            figures = {}
        if not figures:
            sys.exit(f"{path}: no results of {WRITTEN_BY}; name other files in evaluate.external")
        if twice := sorted(figures.keys() & found.keys()):
            sys.exit(f"{path}: {twice[0]} is also in another file of this model; name one of them in evaluate.external")
        found |= figures
    return found


def list_figures(results: Any, path: Path) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of every result in a file of either program."""
    if "results" in results:
        return list_harness(results, path)
    return list_evalscope(results, path)


def list_harness(results: Any, path: Path) -> Iterator[tuple[str, Figure]]:
    """Yield the results of lm-evaluation-harness: keys `metric,filter` of tasks, with `metric_stderr,filter` beside."""
    for task, values in results["results"].items():
        for key, value in values.items():
            metric, comma, kind = key.partition(",")
            if not comma or metric.endswith("_stderr") or not is_number(value):
                continue
            error = values.get(f"{metric}_stderr,{kind}")
            count = look_up(results, "n-samples", task, "effective")
            higher = look_up(results, "higher_is_better", task, metric)
            better = {True: "higher", False: "lower"}.get(higher)
            name = f"{task}: {metric}" if kind == "none" else f"{task}: {metric} ({kind})"
            yield name, describe(value, count, error if is_number(error) else None, better, path)


def look_up(value: Any, *keys: str) -> Any:
    """Return the value under these keys of nested objects; None where one of them is not there, or no object."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def list_evalscope(report: Any, path: Path) -> Iterator[tuple[str, Figure]]:
    """Yield the results of EvalScope: a score of the data set for each metric."""
    for metric in report["metrics"]:
        if is_number(metric["score"]):
            name = f"{report['dataset_name']}: {metric['name']}"
            yield name, describe(metric["score"], metric.get("num"), None, None, path)


def is_number(value: Any) -> bool:
    """Say whether a value is a finite number; lm-evaluation-harness writes N/A where it has no standard error."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def describe(value: float, count: Any, error: float | None, better: str | None, path: Path) -> Figure:
    """Return a result as a figure, with the interval that its standard error gives."""
    ends = [None, None] if error is None else [round(value + side * error, DIGITS) for side in EACH_SIDE]
    count = count if is_number(count) else None
    figure = {"value": round(value, DIGITS), "n": count, "low": ends[0], "high": ends[1]}
    return figure | {"stderr": error and round(error, DIGITS), "better": better, "file": str(path)}


def compare(one: Figures, two: Figures) -> Figures:
    """Return the difference of each figure that both models have, as if their errors were independent."""
    found = {}
    for name in (name for name in one if name in two):
        errors = [figures[name]["stderr"] for figures in (one, two)]
        error = None if None in errors else math.hypot(*errors)
        counts = [figures[name]["n"] for figures in (one, two)]
        found[name] = describe(
            two[name]["value"] - one[name]["value"],
            None if None in counts else min(counts),
            error,
            one[name]["better"],
            Path(two[name]["file"]),
        )
    return found
