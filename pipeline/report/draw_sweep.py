"""Draw the held-out figures of a sweep; the same figures give the same bytes."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.settings.sweep import as_cell

Row = dict[str, Any]
Groups = dict[str, list[int]]  # numbers of points

HELD_OUT = {
    "held_out_loss": "held-out loss",
    "held_out_reward_accuracies": "held-out reward accuracy",
    "held_out_reward_margins": "held-out reward margin",
}
NOT_HELD_OUT = {"loss_last": "training loss, last row"}
MOST_LINES = 10  # as many as there are colours
WORDS_SIDE_BY_SIDE = 36  # characters
STYLE = {"svg.hashsalt": "sweep", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}


def draw_sweep(rows: list[Row], values: list[Row], plot: Path) -> None:
    """Write an SVG with a panel for each figure: over the setting with the most values, or over the points.

    `rows` are those of tabulate_sweep, `values` the settings of each. If nothing was held out, the training's loss
    is drawn.
    """
    figures = {name: label for name, label in HELD_OUT.items() if any(name in row for row in rows)} or NOT_HELD_OUT
    setting, lines = choose_lines(values)
    matplotlib.rcdefaults()
    with matplotlib.rc_context(STYLE):
        height = 3.4 if setting else 1.2 + 0.28 * len(rows)
        canvas = Figure(figsize=(3.4 * len(figures), height), layout="constrained")
        panels = canvas.subplots(1, len(figures), squeeze=False, sharey=not setting)[0]
        for panel, (name, label) in zip(panels, figures.items(), strict=True):
            heights = [row.get(name, float("nan")) for row in rows]
            if setting:
                draw_lines(panel, [point[setting] for point in values], heights, lines)
                panel.set(xlabel=setting, title=label)
            else:
                draw_points(panel, [row["point"] for row in rows], heights)
                panel.set(xlabel=label)
        if len(lines) > 1:
            handles, labels = panels[0].get_legend_handles_labels()
            canvas.legend(handles, labels, loc="outside lower center", ncols=min(len(lines), 4), frameon=False)
        canvas.savefig(plot, format="svg", metadata={"Date": None})


def choose_lines(values: list[Row]) -> tuple[str | None, Groups]:
    """Return the setting along the axis, and the points of each line, by their common settings.

    No setting and no lines if each line would have one point, or if there are more lines than colours.
    """
    counts = {setting: len({as_cell(point[setting]) for point in values}) for setting in values[0]}
    varying = [setting for setting, count in counts.items() if count > 1]
    along = max(varying, key=lambda setting: counts[setting], default=None)
    lines: Groups = {}
    for number, point in enumerate(values):
        name = ", ".join(f"{setting} {as_cell(point[setting])}" for setting in varying if setting != along)
        lines.setdefault(name, []).append(number)
    if along is None or len(lines) > MOST_LINES or max(map(len, lines.values())) == 1:
        return None, {}
    return along, lines


def draw_lines(panel: Axes, places: list[Any], heights: list[float], lines: Groups) -> None:
    """Draw a line for each group of points. Values are at equal distances, numbers in their order."""
    order = sort_values(places)
    words = [as_cell(value) for value in order]
    for label, numbers in lines.items():
        line = sorted((words.index(as_cell(places[number])), heights[number]) for number in numbers)
        panel.plot(*zip(*line, strict=True), marker="o", label=label)
    panel.set_xticks(range(len(words)), words, rotation=20 if len("".join(words)) > WORDS_SIDE_BY_SIDE else 0)
    panel.margins(x=0.15)


def sort_values(places: list[Any]) -> list[Any]:
    """Return the different values, numbers by size, others in the order given."""
    different = list({as_cell(value): value for value in places}.values())
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in different)
    return sorted(different) if numbers else different


def draw_points(panel: Axes, names: list[str], lengths: list[float]) -> None:
    """Draw a row for each point, the first on top."""
    panel.plot(lengths, range(len(names)), marker="o", linestyle="none")
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.locator_params(axis="x", nbins=4)
