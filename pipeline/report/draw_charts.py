"""Draw charts as files, and give the script that draws them in the page; both work offline (vl-convert).

vl-convert comes with the font of the files (charts.PAPER_FONT), but a font of that name on the machine would go before
it, and another font would stand in for a character that it lacks. So no font of the machine is shown to it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert

from pipeline.report.charts import PAGE, PAGE_FONT, PAPER, PAPER_FONT, Spec, specify
from pipeline.report.curves import Chart
from pipeline.report.messages import LANGUAGES, say_name

FILE_LANGUAGE = "en"  # the language of most papers; other languages need fonts that may be missing
WIDTH = 560  # pixels
FONTS = "FONTCONFIG_FILE"  # vl-convert reads this variable when it first draws


def specify_file(chart: Chart) -> Spec:
    """Return the specification of a chart for a file of its own, with its title."""
    title = say_name(FILE_LANGUAGE, chart.kind, chart.title)
    return specify(chart, FILE_LANGUAGE, PAPER, PAPER_FONT) | {"width": WIDTH, "title": title, "padding": 12}


@contextmanager
def without_fonts() -> Iterator[None]:
    """Show no font of the machine to what is drawn here; a browser that is started later needs them."""
    before = os.environ.get(FONTS)
    os.environ[FONTS] = str(Path(__file__).with_name("no_fonts.conf"))
    try:
        yield
    finally:
        del os.environ[FONTS]
        os.environ |= {} if before is None else {FONTS: before}


@without_fonts()
def draw_files(charts: list[Chart], folder: Path) -> None:
    """Write an SVG and a PNG for each chart, under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for chart in charts:
        svg = vl_convert.vegalite_to_svg(specify_file(chart))
        (folder / f"{chart.file}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{chart.file}.png").write_bytes(vl_convert.svg_to_png(svg))


def specify_for_page(chart: Chart) -> dict[str, Any]:
    """Return the specifications of a chart by language; its points are in them only once."""
    specs = {language: specify(chart, language, PAGE, PAGE_FONT) for language in LANGUAGES}
    for spec in specs.values():
        del spec["data"]
    return {"name": chart.file, "points": chart.points, "specs": specs}


@cache
def chart_script() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed in one text."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("vl-convert's script would end its own HTML element")
    return script
