"""Write a page as one file that opens without a network: template, style, scripts, charts and data.

Texts of users are escaped by the template, and as JSON for the script, which writes them as text. The page's own policy
allows no other script to run, and nothing to load.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from pipeline.files.json_lines import replace_files
from pipeline.report.curves import Chart
from pipeline.report.draw_charts import chart_script, specify_for_page
from pipeline.report.messages import (
    LANGUAGES,
    has_message,
    messages_for_script,
    name_in_all,
    say_in_all,
    say_in_attributes,
    say_name,
    words_in_attributes,
)
from pipeline.report.numbers_in_words import NONE, count_alike, is_number, show_number, show_time, split_duration
from pipeline.report.phrases import phrase_in_all

FOLDER = Path(__file__).parent / "template"
MOST_TABLE_ROWS = 60  # of a chart's data


def write_page(path: Path, template: str, charts: list[Chart], cards: list[Any], **values: Any) -> None:
    """Write a page from a template and what it needs; the file appears whole or not at all."""
    scripts = [chart_script(), read_script("page.js")]
    data = {
        "messages": messages_for_script(),
        "charts": [specify_for_page(chart) for chart in charts],
        "cards": cards,
    }
    text = (
        environment()
        .get_template(template)
        .render(
            style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
            scripts=[Markup(script) for script in scripts],
            policy=content_policy(scripts),
            data=htmlsafe_json_dumps(data, ensure_ascii=False, separators=(",", ":")),
            charts={chart.file: chart for chart in charts},
            **values,
        )
    )
    # Some answers end with half a character, which UTF-8 cannot hold.
    with replace_files(path) as (page,):
        page.write(text.encode("utf-8", "replace").decode("utf-8"))


def environment() -> Environment:
    """Return the templates' environment, which escapes everything except Markup."""
    found = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "t": say_in_all,
        "attr": say_in_attributes,
        "label": name_in_all,
        "has": has_message,
        "phrase": phrase_in_all,
        "chart_name": chart_name,
        "table_rows": table_rows,
    }
    found.filters |= {"number": show_number, "duration": duration_in_all, "time": show_time, "alike": count_alike}
    return found


def read_script(name: str) -> str:
    """Return a script of the page."""
    return (FOLDER / name).read_text(encoding="utf-8")


def content_policy(scripts: list[str]) -> str:
    """Return the Content-Security-Policy that runs these scripts, and loads nothing."""
    # In the template the scripts are between newlines, which are part of the hashed text.
    digests = [hashlib.sha256(f"\n{script}\n".encode()).digest() for script in scripts]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"


def duration_in_all(seconds: Any) -> Markup:
    """Return seconds as hours, minutes and seconds in every language."""
    parts = split_duration(seconds) if is_number(seconds) else []
    return Markup(" ").join(say_in_all(f"duration.{unit}", amount=amount) for amount, unit in parts) or Markup(NONE)


def chart_name(chart: Chart) -> Markup:
    """Return a chart's name for screen readers, as an attribute."""
    return words_in_attributes(
        "aria-label", {language: say_name(language, chart.kind, chart.title) for language in LANGUAGES}
    )


def table_rows(chart: Chart) -> list[dict[str, Any]]:
    """Return the points of a chart for its table, evenly thinned if there are many."""
    every = -(-len(chart.points) // MOST_TABLE_ROWS)
    return chart.points[::every]
