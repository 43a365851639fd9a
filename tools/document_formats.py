"""Write the tables of docs/formats.md from the layouts and lists of keys in pipeline/preferences/.

python -m tools.document_formats            write them
python -m tools.document_formats --check    say whether they are stale, with exit status 1
"""

from collections.abc import Iterable
from pathlib import Path

from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.preferences.layouts import EXPORTS, LAYOUTS, NAMES, Layout
from pipeline.preferences.row_keys import LISTS, ORIGIN_OR_PROMPT, ORIGINS, UNSUPPORTED, is_harmless

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"


def code(names: Iterable[str]) -> str:
    """Return names as code, with commas between them."""
    return ", ".join(f"`{name}`" for name in names) or "–"


def describe_layout(layout: Layout) -> str:
    """Return a row of the table of layouts."""
    columns = [f"`{path}`: {ours}" for path, ours in layout.columns.items()]
    read = ", ".join([*columns, *(f"`{key}`" for key in layout.has)])
    return f"| {layout.name} | {layout.about} | {read} | {code(list(layout.aside))} |"


def describe_exports() -> list[str]:
    """Return a paragraph and the settings of each export."""
    lines = []
    for name, said in EXPORTS.items():
        columns = ", ".join(f"{path}: {ours}" for path, ours in said["columns"].items())
        lines += [f"**{name}**: {said['about']}.", "", "```yaml", "data:", f"  columns: {{{columns}}}"]
        lines += [f"  ignore: [{', '.join(said['ignore'])}]", "```", ""]
    return lines[:-1]


def render() -> str:
    """Return the whole page."""
    parts = {
        "layouts": ["| set | what it is | read as | set aside |", "| --- | --- | --- | --- |"],
        "names": [
            "| ours | theirs |",
            "| --- | --- |",
            *(f"| `{ours}` | {code(names)} |" for ours, names in NAMES.items()),
        ],
        "exports": describe_exports(),
        "harmless": [f"- {what}: {code(names)}" for what, names in LISTS["harmless"].items()],
        "unsupported": [
            "| key | why |",
            "| --- | --- |",
            *(f"| `{key}` | {why} |" for key, why in UNSUPPORTED.items()),
        ],
    }
    parts["layouts"] += map(describe_layout, LAYOUTS)
    beside = sorted(filter(is_harmless, ORIGIN_OR_PROMPT))
    origins = code(key for key in beside if key in ORIGINS)
    parts["harmless"] += [
        f"- of these, beside a prompt alone, since each could be the prompt itself: {code(beside)}",
        f"- of these, only with a name, a number or an address, since a text could be a part of the prompt: {origins}",
    ]
    return fill_parts(PAGE, parts)


if __name__ == "__main__":
    write_or_check(PAGE, render(), __doc__)
