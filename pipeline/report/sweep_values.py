"""The values that the page of a sweep shows: a row for each point, and a chart for each compared figure."""

from typing import Any

from pipeline.report.curves import Chart
from pipeline.report.figure_rows import GROUPS, IN_SUMMARY, Figure, list_names, show_figure
from pipeline.report.numbers_in_words import choose_decimals, only_number, show_number
from pipeline.settings.sweep import Point, as_cell

Row = dict[str, Any]

# Figures of the training by their names in dpo/metrics.json.
HELD_OUT = {
    "held_out_loss": "loss",
    "held_out_reward_accuracy": "reward_accuracies",
    "held_out_reward_margin": "reward_margins",
}


def point_values(points: list[Point], trainings: list[Row], evaluations: list[Row]) -> Row:
    """Return the settings that differ, the names of the figures, and a row for each point with all figures as texts."""
    figures = gather_figures(trainings, evaluations)
    decimals = {name: choose_decimals(figure["value"] for figure in found) for name, found in figures.items()}
    rows = [
        {
            "point": point.name,
            "run": point.run,
            "settings": [as_cell(value) for value in point.values.values()],
            "steps": show_number(training.get("steps")),
            "cells": {figure: show_figure(found[number], decimals[figure]) for figure, found in figures.items()},
        }
        for number, (point, training) in enumerate(zip(points, trainings, strict=True))
    ]
    return {"settings": list(points[0].values), "names": list(figures), "rows": rows}


def gather_figures(trainings: list[Row], evaluations: list[Row]) -> dict[str, list[Figure]]:
    """Return the figures of all points by name: the training's held-out ones, and the evaluation's first ones."""
    held_out = {
        name: [{"value": training.get("held_out", {}).get("after", {}).get(key)} for training in trainings]
        for name, key in HELD_OUT.items()
    }
    known = {name: group for group in GROUPS for evaluation in evaluations for name in list_names(evaluation, group)}
    compared = {
        name: [find_figure(found, known[name], name) for found in evaluations] for name in list(known)[:IN_SUMMARY]
    }
    return {name: found for name, found in (held_out | compared).items() if any(f["value"] is not None for f in found)}


def find_figure(metrics: Row, group: str, name: str) -> Figure:
    """Return a figure of a point's last model, without a value if it has none."""
    found: Figure = (metrics.get(group) or {}).get(metrics["models"][-1], {}).get(name) or {"value": None}
    return found


def chart_points(names: list[str], trainings: list[Row], evaluations: list[Row]) -> list[Chart]:
    """Return a chart for each figure, with a row for each point."""
    return [
        Chart(
            name,
            [
                {"part": point} | {end: only_number(figure.get(end)) for end in ("value", "low", "high")}
                for point, figure in zip(names, found, strict=True)
            ],
            by="point",
        )
        for name, found in gather_figures(trainings, evaluations).items()
    ]
