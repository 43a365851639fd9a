"""Rows of tables for all figures of an evaluation; unknown figures have their own names."""

from dataclasses import dataclass
from typing import Any

from pipeline.evaluation.figures import is_figure
from pipeline.report.numbers_in_words import choose_decimals, is_number, show_number, show_p

Figure = dict[str, Any]  # {"value", "n", "low", "high", "command"}
Row = dict[str, Any]

GROUPS = ("answers", "pairs", "neutral", "external")
HIGHER_IS_BETTER = {
    "bleu",
    "chrf",
    "numbers_kept",
    "placeholders_kept",
    "tags_kept",
    "urls_kept",
    "term_hits",
    "preference_accuracy",
    "reward_accuracy",
    "reward_margin",
    "chosen_logp",
}
LOWER_IS_BETTER = {"ter", "empty", "refusals", "cut_answers", "no_final", "neutral_loss"}
# The figures of a summary, the most important first.
FIRST = (
    "chrf",
    "bleu",
    "ter",
    "preference_accuracy",
    "reward_accuracy",
    "reward_margin",
    "neutral_loss",
    "refusals",
    "cut_answers",
    "no_final",
    "empty",
    "numbers_kept",
    "placeholders_kept",
)
IN_SUMMARY = 8
MOST_PARTS = 40  # rows of a table by tag


@dataclass(frozen=True)
class PartTable:
    """Figures of one model by a property of the rows, such as their tag."""

    group: str
    model: str
    by: str  # tag, length, …
    names: list[str]  # of figures
    rows: list[Row]  # {"part", "n", "cells": by figure}
    count: int  # of parts; the smallest may have been left out


def order_of(metrics: Row) -> list[str]:
    """Return the names of figures from the most important on: the user's own, and the best known."""
    return [*(metrics.get("better") or {}), *FIRST]


def list_names(metrics: Row, group: str) -> list[str]:
    """Return the names of the figures of all models in a group, the most important first."""
    order = order_of(metrics)
    found = dict.fromkeys(
        name
        for figures in (metrics.get(group) or {}).values()
        for name, value in (figures or {}).items()
        if is_figure(value)
    )
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def compare_models(metrics: Row, group: str) -> list[Row]:
    """Return a row for each figure: `cells` by model, `changes` by comparison, all numbers as texts."""
    return [compare_figure(metrics, group, name) for name in list_names(metrics, group)]


def compare_figure(metrics: Row, group: str, name: str) -> Row:
    """Return the row of one figure, with the same decimals throughout."""
    figures = {model: (metrics[group].get(model) or {}).get(name) for model in metrics["models"]}
    changes = {pair: (found or {}).get(name) for pair, found in (metrics.get("comparisons") or {}).items()}
    known = [figure for figure in figures.values() if figure]
    decimals = choose_decimals(figure["value"] for figure in known)
    better = find_better(metrics, name) or next((figure.get("better") for figure in known), None)
    commands = [figure["command"] for figure in known if figure.get("command")]
    return {
        "name": name,
        "cells": {model: show_figure(figure, decimals) for model, figure in figures.items()},
        "changes": {pair: show_change(change, decimals, better) for pair, change in changes.items()},
        "commands": list(dict.fromkeys(commands)),
    }


def show_figure(figure: Figure | None, decimals: int | None = None) -> Row:
    """Return a figure as texts: value, interval, count."""
    figure = figure or {"value": None}
    if decimals is None:
        decimals = choose_decimals([figure["value"]])
    return {"value": show_number(figure["value"], decimals), "n": figure.get("n")} | show_interval(figure, decimals)


def show_interval(figure: Figure, decimals: int, signed: bool = False) -> Row:
    """Return both ends of an interval as a text; None without an interval."""
    ends = [figure.get("low"), figure.get("high")]
    return {"interval": [show_number(end, decimals, signed) for end in ends] if all(map(is_number, ends)) else None}


def find_better(metrics: Row, name: str) -> str | None:
    """Return which values of a figure are better, higher or lower; None if neither is."""
    known = dict.fromkeys(HIGHER_IS_BETTER, "higher") | dict.fromkeys(LOWER_IS_BETTER, "lower")
    return (known | (metrics.get("better") or {})).get(name)


def show_change(change: Figure | None, decimals: int, better: str | None) -> Row | None:
    """Return a difference as texts, with its interval, p, and meaning; None without a value."""
    if not change or not is_number(change["value"]):
        return None
    value = {"value": show_number(change["value"], decimals, signed=True), "p": show_p(change.get("p"))}
    return value | show_interval(change, decimals, signed=True) | {"meaning": judge_change(change, better)}


def judge_change(change: Figure, better: str | None) -> str:
    """Return better, worse, changed (if neither is better), same, or unclear (no interval, or 0 is inside)."""
    low, high = change.get("low"), change.get("high")
    if change["value"] == 0:
        return "same"
    if not (is_number(low) and is_number(high)) or low <= 0 <= high:  # type: ignore[operator]
        return "unclear"
    if better is None:
        return "changed"
    return "better" if (low > 0) == (better == "higher") else "worse"  # type: ignore[operator]


def summarize_figures(metrics: Row) -> list[Row]:
    """Return the rows of the most important figures, or of the first ones if no figure is known."""
    order = order_of(metrics)
    rows = [row for group in GROUPS for row in compare_models(metrics, group)]
    known = [row for row in rows if row["name"] in order]
    return (sorted(known, key=lambda row: order.index(row["name"])) or rows)[:IN_SUMMARY]


def list_part_tables(metrics: Row) -> list[PartTable]:
    """Return the tables of figures by tag, by length, and by any other part of the evaluation."""
    return [
        tabulate_parts(group, model, key.removeprefix("by_"), parts)
        for group in GROUPS
        for model, figures in (metrics.get(group) or {}).items()
        for key, parts in (figures or {}).items()
        if key.startswith("by_") and isinstance(parts, dict) and parts
    ]


def tabulate_parts(group: str, model: str, by: str, parts: dict[str, dict[str, Figure]]) -> PartTable:
    """Return a table with a row for each part, in the given order; if there are many, those with the most rows."""
    names = list(dict.fromkeys(name for figures in parts.values() for name, f in figures.items() if is_figure(f)))
    largest = sorted(parts, key=lambda part: -rows_of_part(parts[part]))[:MOST_PARTS]
    decimals = {
        name: choose_decimals(figures[name]["value"] for figures in parts.values() if name in figures) for name in names
    }
    rows = [
        {
            "part": part,
            "n": rows_of_part(figures),
            "cells": {name: show_figure(figures.get(name), decimals[name]) for name in names},
        }
        for part, figures in parts.items()
        if part in set(largest)
    ]
    return PartTable(group, model, by, names, rows, len(parts))


def rows_of_part(figures: dict[str, Figure]) -> int:
    """Return the number of rows of a part's figures."""
    return max((int(figure.get("n") or 0) for figure in figures.values() if is_figure(figure)), default=0)
