"""Figures, each with the number of rows, an interval, and the command that computes it again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.resample import bootstrap, interval, randomisation_p, sum_by_prompt, swap
from pipeline.evaluation.shares import difference_interval, share_interval

Array = NDArray[np.float64]
Figure = dict[str, Any]
Key = tuple[str, str]  # of a figure and a model
Bounds = tuple[float, float] | tuple[None, None]
DIGITS = 6
FEWEST = 10  # prompts; the draws of fewer say too little about other prompts


class Metric(Protocol):
    """A score of summed statistics; where `unit` is "share", of hits and of the rows that could be one."""

    unit: str

    def score(self, sums: Array) -> float:
        """Return the score of rows with these sums."""
        ...


class Resampled:
    """The resampled statistics of figures by model; every figure and model has the same draws."""

    def __init__(self, statistics: Mapping[Key, Array], prompts: NDArray[np.int64], times: int, seed: int):
        """Take rows x columns by figure and model; NaN in a row that does not count."""
        self.times, self.seed = times, seed
        self.counted = {key: int((~np.isnan(table[:, 0])).sum()) for key, table in statistics.items()}
        self.by_prompt = {key: sum_by_prompt(table, prompts) for key, table in statistics.items()}
        self.prompts = {key: len(set(prompts[~np.isnan(table[:, 0])])) for key, table in statistics.items()}
        graded = {name for (name, _), table in statistics.items() if not holds_hits(table)}
        self.zero_or_one = {name for name, _ in statistics} - graded
        widths = np.cumsum([0, *(table.shape[1] for table in self.by_prompt.values())])
        drawn = bootstrap(np.hstack(list(self.by_prompt.values())), times, seed)
        self.moved: dict[tuple[str, str], dict[str, Array]] = {}
        self.drawn = {key: drawn[:, a:b] for key, a, b in zip(self.by_prompt, widths, widths[1:], strict=False)}

    def figure(self, name: str, metric: Metric, model: str, command: str) -> Figure:
        """Return the figure of one model."""
        key = name, model
        value = metric.score(self.by_prompt[key].sum(axis=0))
        return describe(value, self.counted[key], self.bounds(metric, key), command)

    def comparison(self, name: str, metric: Metric, one: str, two: str, command: str) -> Figure:
        """Return the figure of `two` minus that of `one`, and how often chance makes a difference as large."""
        keys = (name, one), (name, two)
        sums = [self.by_prompt[key].sum(axis=0) for key in keys]
        first, second = map(metric.score, sums)
        p = randomisation_p(sums[0], sums[1], self.swapped(one, two)[name], metric.score)
        found = describe(second - first, min(self.counted[key] for key in keys), self.bounds(metric, *keys), command)
        return found | {"p": p if p is None else round(p, DIGITS)}

    def bounds(self, metric: Metric, *keys: Key) -> Bounds:
        """Return the interval of a figure, or of the second minus the first; none if too few prompts count."""
        fewest = min(self.prompts[key] for key in keys)
        if fewest and self.is_share(metric, keys[0][0]):
            tables = [self.by_prompt[key] for key in keys]
            return share_interval(tables[0]) if len(tables) == 1 else difference_interval(tables[0], tables[1])
        if fewest < FEWEST:
            return None, None
        scores = [np.array([metric.score(sums) for sums in self.drawn[key]]) for key in keys]
        return interval(scores[0] if len(scores) == 1 else scores[1] - scores[0])

    def is_share(self, metric: Metric, name: str) -> bool:
        """Say whether a figure is a share: by its unit, or as the mean of values that are 0 and 1."""
        return metric.unit == "share" or (metric.unit == "mean" and name in self.zero_or_one)

    def swapped(self, one: str, two: str) -> dict[str, Array]:
        """Return, by figure, how much swaps of two models' answers move between their sums; the same swaps for all."""
        if (one, two) not in self.moved:
            names = [name for name, model in self.by_prompt if model == one and (name, two) in self.by_prompt]
            tables = [self.by_prompt[name, two] - self.by_prompt[name, one] for name in names]
            widths = np.cumsum([0, *(table.shape[1] for table in tables)])
            moved = swap(np.hstack(tables), self.times, self.seed)
            self.moved[one, two] = {name: moved[:, a:b] for name, a, b in zip(names, widths, widths[1:], strict=False)}
        return self.moved[one, two]


def holds_hits(table: Array) -> bool:
    """Say whether the value of every row that counts is 0 or 1."""
    values = table[:, 0]
    return bool((np.isnan(values) | (values == 0) | (values == 1)).all())


def describe(value: float, counted: int, bounds: Bounds, command: str) -> Figure:
    """Return a figure as in metrics.json. If no row counts, it has no value; if all draws are alike, no interval."""
    known = [
        None if number is None or not np.isfinite(number) else round(number, DIGITS) for number in (value, *bounds)
    ]
    value, low, high = known if counted else (None, None, None)  # type: ignore[assignment]
    low, high = (None, None) if low == high else (low, high)
    return {"value": value, "n": counted, "low": low, "high": high, "command": command}


def is_figure(value: object) -> bool:
    """Say whether a value of metrics.json is a figure, not a group of them: a tag may be called `value`."""
    return isinstance(value, dict) and "value" in value and not isinstance(value["value"], dict)


def write_figures(found: Mapping[str, Any], path: Path | None) -> None:
    """Write figures as JSON, or print them if there is no path."""
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
