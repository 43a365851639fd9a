"""Figures, each with the number of rows, an interval, and the command that computes it again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.resample import bootstrap, interval, randomisation_p, sum_by_prompt, swap

Array = NDArray[np.float64]
Figure = dict[str, Any]
DIGITS = 6


class Metric(Protocol):
    """A score of summed statistics."""

    def score(self, sums: Array) -> float:
        """Return the score of rows with these sums."""
        ...


class Resampled:
    """The resampled statistics of figures by model; every figure and model has the same draws."""

    def __init__(self, statistics: Mapping[tuple[str, str], Array], prompts: NDArray[np.int64], times: int, seed: int):
        """Take rows x columns by figure and model; NaN in a row that does not count."""
        self.times, self.seed = times, seed
        self.counted = {key: int((~np.isnan(table[:, 0])).sum()) for key, table in statistics.items()}
        self.by_prompt = {key: sum_by_prompt(table, prompts) for key, table in statistics.items()}
        widths = np.cumsum([0, *(table.shape[1] for table in self.by_prompt.values())])
        drawn = bootstrap(np.hstack(list(self.by_prompt.values())), times, seed)
        self.moved: dict[tuple[str, str], dict[str, Array]] = {}
        self.drawn = {key: drawn[:, a:b] for key, a, b in zip(self.by_prompt, widths, widths[1:], strict=False)}

    def figure(self, name: str, metric: Metric, model: str, command: str) -> Figure:
        """Return the figure of one model."""
        key = name, model
        scores = np.array([metric.score(sums) for sums in self.drawn[key]])
        value = metric.score(self.by_prompt[key].sum(axis=0))
        return describe(value, self.counted[key], scores, command)

    def comparison(self, name: str, metric: Metric, one: str, two: str, command: str) -> Figure:
        """Return the figure of `two` minus that of `one`, and how often chance makes a difference as large."""
        sums = [self.by_prompt[name, model].sum(axis=0) for model in (one, two)]
        first, second = map(metric.score, sums)
        draws = zip(self.drawn[name, one], self.drawn[name, two], strict=True)
        scores = np.array([metric.score(b) - metric.score(a) for a, b in draws])
        p = randomisation_p(sums[0], sums[1], self.swapped(one, two)[name], metric.score)
        counted = min(self.counted[name, one], self.counted[name, two])
        return describe(second - first, counted, scores, command) | {"p": p if p is None else round(p, DIGITS)}

    def swapped(self, one: str, two: str) -> dict[str, Array]:
        """Return, by figure, how much swaps of two models' answers move between their sums; the same swaps for all."""
        if (one, two) not in self.moved:
            names = [name for name, model in self.by_prompt if model == one and (name, two) in self.by_prompt]
            tables = [self.by_prompt[name, two] - self.by_prompt[name, one] for name in names]
            widths = np.cumsum([0, *(table.shape[1] for table in tables)])
            moved = swap(np.hstack(tables), self.times, self.seed)
            self.moved[one, two] = {name: moved[:, a:b] for name, a, b in zip(names, widths, widths[1:], strict=False)}
        return self.moved[one, two]


def describe(value: float, counted: int, scores: Array, command: str) -> Figure:
    """Return a figure as in metrics.json. If no row counts, it has no value."""
    low, high = interval(scores) if counted else (None, None)
    known = [
        None if number is None or not np.isfinite(number) else round(number, DIGITS) for number in (value, low, high)
    ]
    value, low, high = known if counted else (None, None, None)  # type: ignore[assignment]
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
