"""Vega-Lite specifications of the charts: the same for the page, SVG and PNG, in each language."""

import json
from typing import Any

from pipeline.report.curves import Chart
from pipeline.report.messages import has_message, say, say_name
from pipeline.report.numbers_in_words import is_number
from pipeline.report.phrases import say_phrase

Spec = dict[str, Any]
Colours = dict[str, str]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# Line styles: held-out figures are dashed, which is visible in black and white print too.
STYLES = {
    "training": ("first", [1, 0]),
    "held_out": ("second", [5, 3]),
    "chosen": ("first", [1, 0]),
    "rejected": ("second", [1, 0]),
    "held_out_chosen": ("first", [5, 3]),
    "held_out_rejected": ("second", [5, 3]),
}
LEGEND = {"title": None, "orient": "top", "symbolType": "stroke", "symbolSize": 300, "columns": 2, "columnPadding": 16}
ROW_HEIGHT = 24  # pixels, of a chart's parts
FEW_POINTS = 60  # up to this number, each point has a mark
PAPER = {
    "first": "#1f5fa8",
    "second": "#b4540a",
    "ink": "#1c2127",
    "muted": "#59636e",
    "grid": "#e3e6ea",
    "paper": "#ffffff",
}
# The page's own colours, so that dark mode and print change the charts too.
PAGE = {name: f"var(--{name})" for name in PAPER} | {"paper": "transparent"}
PAPER_FONT = "Liberation Sans, Arial, sans-serif"
PAGE_FONT = "system-ui, sans-serif"


def draw_lines(chart: Chart, language: str, colours: Colours) -> Spec:
    """Return the specification of a chart over training steps, with its points."""
    names = [name for name in STYLES if any(point["line"] == name for point in chart.points)]
    words = {name: say(language, f"line.{name}") for name in names}
    few = max(sum(point["line"] == name for point in chart.points) for name in names) <= FEW_POINTS
    legend = LEGEND if len(names) > 1 else None
    title = say_name(language, chart.kind, chart.title)
    return {
        "$schema": SCHEMA,
        "data": {"values": chart.points},
        "transform": [{"calculate": f"{json.dumps(words, ensure_ascii=False)}[datum.line]", "as": "label"}],
        "width": "container",
        "height": 220,
        "mark": {"type": "line", "point": {"size": 22} if few else "transparent", "strokeWidth": 1.8},
        "encoding": {
            "x": axis("step", say(language, "axis.step"), nice=False, tickMinStep=1),
            "y": axis("value", say_unit(language, chart.name), zero=False, tickCount=5),
            "color": scale("label", words, [colours[STYLES[name][0]] for name in names], legend),
            "strokeDash": scale("label", words, [STYLES[name][1] for name in names], legend),
            "tooltip": [
                {"field": "step", "title": say(language, "axis.step")},
                {"field": "value", "title": title, "format": ".4~g"},
                {"field": "label", "title": say(language, "axis.line")},
            ],
        },
    }


def say_unit(language: str, name: str) -> str | None:
    """Return the unit of a figure; None if its name is enough."""
    return say(language, f"axis.{name}") if has_message(f"axis.{name}") else None


def axis(field: str, title: str | None, tickCount: int = 8, tickMinStep: float | None = None, **scaling: bool) -> Spec:
    """Return the encoding of a number along an axis."""
    ticks: Spec = {"title": title, "tickCount": tickCount}
    ticks |= {} if tickMinStep is None else {"tickMinStep": tickMinStep}
    return {"field": field, "type": "quantitative", "axis": ticks, "scale": scaling}


def scale(field: str, words: dict[str, str], values: list[Any], legend: Spec | None) -> Spec:
    """Return the encoding of names by colours or dashes."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(words.values()), "range": values},
        "legend": legend,
    }


def draw_parts(chart: Chart, language: str, colours: Colours) -> Spec:
    """Return the specification of a chart with a row for each part: its value, and its interval if there is one."""
    across = axis("value", None, zero=False, tickCount=5)
    down: Spec = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 200}}
    titles = {"value": say_name(language, "figure", chart.name)}
    interval = {
        "mark": {"type": "rule", "strokeWidth": 2, "color": colours["first"]},
        "encoding": {"x": across | {"field": "low"}, "x2": {"field": "high"}},
    }
    value = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": colours["first"]},
        "encoding": {"x": across},
    }
    layers = [value]
    if any(is_number(point["low"]) for point in chart.points):
        layers = [interval, value]
        titles |= {name: say(language, f"axis.{name}") for name in ("low", "high")}
    numbers = [{"field": name, "title": title, "format": ".4~g"} for name, title in titles.items()]
    return {
        "$schema": SCHEMA,
        "data": {"values": chart.points},
        "transform": [{"calculate": name_parts(chart, language), "as": "label"}],
        "width": "container",
        "height": ROW_HEIGHT * len(chart.points),
        "encoding": {"y": down, "tooltip": [{"field": "label", "title": say(language, "axis.part")}, *numbers]},
        "layer": layers,
    }


def name_parts(chart: Chart, language: str) -> str:
    """Return the expression of a part's name in a language."""
    if chart.by != "length":  # tags are the user's own words
        return "datum.part"
    names = {point["part"]: say_phrase(language, point["part"]) for point in chart.points}
    return f"{json.dumps(names, ensure_ascii=False)}[datum.part]"


def specify(chart: Chart, language: str, colours: Colours, font: str) -> Spec:
    """Return the whole specification of a chart."""
    draw = draw_parts if chart.by else draw_lines
    return draw(chart, language, colours) | {"config": style(colours, font)}


def style(colours: Colours, font: str) -> Spec:
    """Return the style that all charts share."""
    text = {"labelColor": colours["muted"], "titleColor": colours["muted"], "labelFontSize": 11, "titleFontSize": 11}
    return {
        "background": colours["paper"],
        "font": font,
        "view": {"stroke": None},
        "axis": text
        | {
            "titleFontWeight": "normal",
            "gridColor": colours["grid"],
            "domainColor": colours["muted"],
            "tickColor": colours["muted"],
        },
        "legend": text | {"labelFontSize": 12, "labelColor": colours["ink"]},
        "title": {"color": colours["ink"], "anchor": "start", "fontSize": 13, "fontWeight": "bold", "offset": 8},
    }
