"""Write the tables of docs/configuration.md from schemas/config.schema.yaml and config.yaml.

python -m tools.document_config            write them
python -m tools.document_config --check    say whether they are stale, with exit status 1
"""

import json
from pathlib import Path
from typing import Any

import yaml

from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.settings.check import CONFIG, load_schema
from pipeline.settings.reads import readers_of

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
TABLE = ["| setting | default | range | unit | meaning | read by |", "| --- | --- | --- | --- | --- | --- |"]
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "pattern": "form `{}`",
}


def describe_range(part: dict[str, Any]) -> str:
    """Return the type and the range of a setting in words."""
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    words = [" or ".join(types)]
    words += [text.format(part[key]) for key, text in BOUNDS.items() if key in part]
    return ", ".join(words)


def describe_section(name: str, part: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """Return the lines that describe a section: its text, a table of its settings, then its own sections."""
    lines = ["", f"## {name}", "", part["description"], "", *TABLE]
    for key, child in part["properties"].items():
        if "properties" not in child:
            lines.append(describe_setting(f"{name}.{key}", child, values.get(key)))
    for key, child in part["properties"].items():
        if "properties" in child:
            lines += describe_section(f"{name}.{key}", child, values.get(key) or {})
    return lines


def describe_setting(name: str, part: dict[str, Any], value: Any) -> str:
    """Return the table row of one setting."""
    cells = [f"`{name}`", f"`{json.dumps(value)}`", describe_range(part), part.get("unit", ""), part["description"]]
    cells.append(", ".join(readers_of(name)) or "the graph")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def render() -> str:
    """Return the whole page."""
    schema = load_schema()
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    lines = [*TABLE]
    sections = schema["properties"]
    lines += [describe_setting(k, part, config[k]) for k, part in sections.items() if "properties" not in part]
    for key, part in sections.items():
        if "properties" in part:
            lines += describe_section(key, part, config[key] or {})
    return fill_parts(PAGE, {"settings": lines})


if __name__ == "__main__":
    write_or_check(PAGE, render(), __doc__)
