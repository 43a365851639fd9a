"""The curves of a training as charts: their figures, and the points of each line."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.report.numbers_in_words import is_number

Row = dict[str, Any]
Point = dict[str, Any]  # {"step", "value", "line"}
Lines = dict[str, str]  # the name of a line by the figure's name in curves.jsonl

MOST_POINTS = 400  # of a line

TRAINING = {
    "loss": {"loss": "training"},
    "held_out_loss": {"eval_loss": "held_out"},
    "reward_accuracy": {"rewards/accuracies": "training", "eval_rewards/accuracies": "held_out"},
    "reward_margin": {"rewards/margins": "training", "eval_rewards/margins": "held_out"},
    "log_probability": {
        "logps/chosen": "chosen",
        "logps/rejected": "rejected",
        "eval_logps/chosen": "held_out_chosen",
        "eval_logps/rejected": "held_out_rejected",
    },
    "token_accuracy": {"token_acc": "training", "eval_token_acc": "held_out"},
    "learning_rate": {"learning_rate": "training"},
    "gradient_norm": {"grad_norm": "training"},
}
SPEED = {"seconds_per_step": {"seconds_per_step": "training"}, "memory": {"memory_gib": "training"}}


@dataclass(frozen=True)
class Chart:
    """A chart over training steps, or over named parts."""

    name: str  # of its file, and of its texts in the messages
    points: list[Point]
    stage: str = ""  # "sft" for the warm-up's
    by: str = ""  # the kind of parts, if it is over parts; its name is then that of a figure

    @property
    def file(self) -> str:
        """The chart's name among all charts."""
        return "_".join(filter(None, [self.stage, self.name, self.by and f"by_{self.by}"]))

    @property
    def kind(self) -> str:
        """The group of the chart's title in the messages."""
        return "figure" if self.by else "chart"

    @property
    def title(self) -> str:
        """The title's name in its group."""
        return self.name if self.by else self.file


def chart_training(rows: list[Row], stage: str = "") -> list[Chart]:
    """Return the charts of a training for the figures that it has. `rows` are those of curves.jsonl."""
    return make_charts(rows, TRAINING, stage)


def chart_speed(rows: list[Row], stage: str = "") -> list[Chart]:
    """Return the charts of time and memory. `rows` are those of *.speed.jsonl."""
    return make_charts(rows, SPEED, stage)


def make_charts(rows: list[Row], known: dict[str, Lines], stage: str) -> list[Chart]:
    """Return the charts that have at least one point."""
    charts = (
        Chart(name, [point for figure, line in lines.items() for point in thin(read_line(rows, figure, line))], stage)
        for name, lines in known.items()
    )
    return [chart for chart in charts if chart.points]


def read_line(rows: Iterable[Row], figure: str, line: str) -> list[Point]:
    """Return the points of one figure; numbers that are not finite are left out (a gate reports them)."""
    return [{"step": row["step"], "value": row[figure], "line": line} for row in rows if is_number(row.get(figure))]


def thin(points: list[Point], most: int = MOST_POINTS) -> list[Point]:
    """Return at most `most` points: the first, the last, and the lowest and the highest of each stretch."""
    if len(points) <= most:
        return points
    stretches = (most - 2) // 2
    kept = {0: points[0], len(points) - 1: points[-1]}
    for number in range(stretches):
        start, end = (len(points) * edge // stretches for edge in (number, number + 1))
        for pick in (min, max):
            place = pick(range(start, end), key=lambda place: points[place]["value"])
            kept[place] = points[place]
    return [kept[place] for place in sorted(kept)]
