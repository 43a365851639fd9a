"""Write the tables of docs/tutorial.md from schemas/swift_flags/knowledge.yaml.

python -m tools.document_tutorial            write them
python -m tools.document_tutorial --check    say whether they are stale, with exit status 1
"""

from pathlib import Path
from typing import Any

from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.files.tables import markdown_table
from pipeline.settings.check import load_schema
from pipeline.swift_commands.flag_knowledge import OLD, PINNED, effect_of, known_of, load_knowledge

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
COLUMNS = [f"under {OLD}", f"under {PINNED}", "effect now", "here", "seen in"]


def list_checks(entry: dict[str, Any]) -> str:
    """Return the tests that back an entry, with the releases under which they run."""
    places: dict[str, list[str]] = {}
    for place, names in entry["checks"].items():
        for name in names:
            places.setdefault(name.rpartition("::")[2], []).append(place)
    return "; ".join(f"{' and '.join(where)}: `{name}`" for name, where in places.items())


def describe(flag: str, entry: dict[str, Any], effect: str) -> list[str]:
    """Return the cells of a flag's row: then, now, effect, here, and the tests."""
    then, now = entry.get("was") or entry.get("now"), entry.get("now") if "was" in entry else None
    meaning = "" if then else entry["meaning"]
    words = " ".join(filter(None, [meaning, then, entry.get("note")]))
    settings = load_schema()["properties"]["dpo"]["properties"]
    here = entry.get("here") or (f"`dpo.{flag}`" if flag in settings else "")
    return [words, now or "The same.", effect, here, list_checks(entry)]


def command_rows() -> list[list[str]]:
    """Return a row for each assignment and flag of the tutorial's command."""
    knowledge = load_knowledge()
    flags = {flag: [entry["tutorial"]] for flag, entry in knowledge["flags"].items() if "tutorial" in entry}
    rows = []
    for name, entry in knowledge["environment"].items():
        rows.append([f"`{name}={entry['tutorial']}`", *describe(name, entry, entry["effect"])])
    for flag, [value] in flags.items():
        rows.append([f"`--{flag} {value}`", *describe(flag, known_of(flag, value), effect_of(flag, flags))])
    return rows


def in_force_rows() -> list[list[str]]:
    """Return a row for each default that matters and that the command does not name."""
    knowledge = load_knowledge()
    flags = {flag: entry for flag, entry in knowledge["flags"].items() if entry.get("in_force")}
    rows = [[f"`--{flag}`", *describe(flag, entry, entry["effect"])] for flag, entry in flags.items()]
    return rows + [[name, *describe(name, entry, entry["effect"])] for name, entry in knowledge["unasked"].items()]


def render() -> str:
    """Return the whole page."""
    knowledge = load_knowledge()
    added = [[f"`{flag}`", entry["why"], list_checks(entry)] for flag, entry in knowledge["added"].items()]
    others = [knowledge["merge"], knowledge["inference"]]
    rows = [[f"`{entry['tutorial']}`", entry["here"], list_checks(entry)] for entry in others]
    parts = {
        "command": markdown_table(["the tutorial's flag", *COLUMNS], command_rows()),
        "in force": markdown_table(["in force all the same", *COLUMNS], in_force_rows()),
        "added": markdown_table(["flag", "why", "seen in"], added),
        "merge and inference": markdown_table(["the tutorial", "here", "seen in"], rows),
    }
    return fill_parts(PAGE, parts)


if __name__ == "__main__":
    write_or_check(PAGE, render(), __doc__)
