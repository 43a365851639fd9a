"""The values that the report of a run shows, from the run's files; the template only puts them in their places."""

import csv
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.files.json_files import read_json
from pipeline.files.json_lines import iterate_json_lines
from pipeline.gates import Gate
from pipeline.preferences.analyses import sum_accounts
from pipeline.report.curves import Chart
from pipeline.report.facts import list_settings
from pipeline.report.figure_rows import (
    GROUPS,
    PartTable,
    compare_figure,
    compare_models,
    list_part_tables,
    summarize_figures,
)
from pipeline.report.messages import LANGUAGES, has_message, say, say_in_all
from pipeline.report.numbers_in_words import is_number, only_number
from pipeline.report.pick_changes import Picked
from pipeline.settings.embedded_data import EMBEDDED, INTERFACE
from pipeline.settings.run_files import RunFiles

Row = dict[str, Any]
Values = dict[str, Any]

MOST_TAGS = 200  # to choose from
FIRST_CHARTS = ["reward_accuracy", "loss"]
HABIT = "pipeline/interface_strings/habit.py"  # the functions of the default run's own figures
THINKING = "analysis_tokens"
ENDS = (THINKING, "cut_answers", "no_final")
# A model thinks less where its thinking is shorter by both, as summary.thinks_less says.
LEAST_TOKENS, LEAST_SHARE = 1, 0.05
ASKED_FOR = ("neutral", "external")  # groups of figures that only some runs have


def evaluation_values(metrics: Row) -> Values:
    """Return the tables of the evaluation's figures."""
    models, pairs = metrics["models"], list(metrics.get("comparisons") or {})
    main = f"{models[-1]}-{models[0]}"
    tables = {group: compare_models(metrics, group) for group in GROUPS}
    comparisons = {group: rows for group, rows in tables.items() if rows or group not in ASKED_FOR}
    commands = [(row["name"], row["commands"]) for rows in comparisons.values() for row in rows if row["commands"]]
    return {
        "models": models,
        "pairs": pairs,
        "main_models": [models[0], models[-1]],
        "main_pairs": [pair for pair in pairs if pair == main],
        "summary": summarize_figures(metrics),
        **ending_values(metrics),
        "comparisons": comparisons,
        "commands": commands,
        "signatures": metrics.get("signatures") or {},
    }


def ending_values(metrics: Row) -> Values:
    """Return, of the first and the last model, the tokens of thinking and the shares of answers without a whole final.

    A figure that is 0 for both is left out. `thinks_less` is the row of the thinking where the last model thinks less.
    """
    first, last = metrics["models"][0], metrics["models"][-1]
    answers = metrics.get("answers") or {}
    values = {
        name: [((answers.get(model) or {}).get(name) or {}).get("value") for model in (first, last)] for name in ENDS
    }
    rows = {name: compare_figure(metrics, "answers", name) for name, sides in values.items() if any(sides)}
    change = ((metrics.get("comparisons") or {}).get(f"{last}-{first}") or {}).get(THINKING) or {}
    return {
        "endings": list(rows.values()),
        "thinks_less": rows[THINKING] if THINKING in rows and is_less(change, values[THINKING][0]) else None,
    }


def is_less(change: Row, before: float | None) -> bool:
    """Say whether a fall is certain (its interval leaves out 0) and large enough to matter."""
    if not is_number(change.get("high")) or change["high"] >= 0:
        return False
    return bool(-change["value"] >= max(LEAST_TOKENS, LEAST_SHARE * (before or 0)))


def chart_parts(metrics: Row) -> tuple[list[PartTable], list[Chart]]:
    """Return the tables by part, and, for each table of the last model, a chart of its first figure."""
    tables = list_part_tables(metrics)
    charts: dict[str, Chart] = {}
    for table in tables:
        if table.model == metrics["models"][-1]:
            chart = chart_table(table, metrics[table.group][table.model][f"by_{table.by}"])
            charts.setdefault(chart.file, chart)
    return tables, list(charts.values())


def chart_table(table: PartTable, parts: dict[str, Row]) -> Chart:
    """Return a chart of the first figure of a table, with the table's rows."""
    name = table.names[0]
    figures = {row["part"]: parts[row["part"]].get(name) or {} for row in table.rows}
    points = [
        {"part": part} | {end: only_number(figure.get(end)) for end in ("value", "low", "high")}
        for part, figure in figures.items()
        if is_number(figure.get("value"))
    ]
    return Chart(name, points, by=table.by)


def gate_values(gates: list[tuple[str, list[Gate]]]) -> Values:
    """Return all gates, their number, and the names of those that failed."""
    rows = [row for _, found in gates for row in found]
    failed = [row["gate"] for row in rows if not row["passed"]]
    return {"gates": gates, "gates_count": len(rows), "gates_passed": len(rows) - len(failed), "failed": failed}


def about_own(own: list[Row]) -> dict[str, Markup]:
    """Return a line about each figure of the user's own: its function, or words where the project knows it."""
    found = {}
    for figure in own:
        file, _, function = figure["function"].partition(":")
        known = file == HABIT and has_message(f"about.own.{function}")
        found[figure["name"]] = say_in_all(f"about.own.{function}" if known else "about.own", place=figure["function"])
    return found


def pick_headline(names: list[str]) -> list[str]:
    """Return the chart to show first, of those of the preference training; none if it has neither of these."""
    return [name for name in FIRST_CHARTS if name in names][:1]


def setting_values(settings: Row, usual: Row, in_force: Row) -> Values:
    """Return the settings of the run, the versions, and the trainer's command."""
    return {
        "settings": list_settings(settings, usual),
        "versions": in_force.get("versions") or {},
        "swift": shlex.join(in_force.get("command") or []),
    }


def coverage_values(table: Path) -> Values:
    """Return the modules that the LoRA trains, and the number of their parameters."""
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {"coverage": rows, "parameters": sum(int(row["parameters"]) for row in rows)}


def answer_values(picked: Picked) -> Values:
    """Return the numbers of answers, the tags to choose from, and the marks of differences."""
    shown = {row.get("tag") for row in picked.shown}
    tags = [(tag, count) for tag, count in picked.tags.most_common() if tag in shown]
    return {
        "picked": picked,
        "cards_count": len(picked.shown),
        "tags": sorted(tags[:MOST_TAGS]),
        "removed_example": Markup("<del>{}</del>").format(say_in_all("answers.marks.removed")),
        "added_example": Markup("<ins>{}</ins>").format(say_in_all("answers.marks.added")),
    }


def reproduce_in_all(machine: Row, settings: Row) -> Row:
    """Return the commands that reproduce the run, by language: their comments differ."""
    return {language: reproduce(machine, settings, language) for language in LANGUAGES}


def reproduce(machine: Row, settings: Row, language: str) -> str:
    """Return the commands that reproduce the run."""
    commit = machine.get("commit")
    command = machine.get("command") or f"snakemake --cores all  # {say(language, 'reproduce.no_command')}"
    lines = [
        *([f"git checkout {commit}"] if commit else []),
        "make setup",
        ". .venv/bin/activate",
        *(
            []
            if settings["data"]["raw"] in EMBEDDED
            else [f"# {say(language, 'reproduce.pairs')} {settings['data']['raw']}"]
        ),
        *(
            []
            if settings["model"]["folder"] is None
            else [f"# {say(language, 'reproduce.model')} {settings['model']['folder']}"]
        ),
        command,
        f"sha256sum results/{settings['run']}/data/pairs.jsonl",
    ]
    return "\n".join(lines)


def list_limits(settings: Row, has_parts: bool, has_speed: bool) -> list[str]:
    """Return the names of the limits of this run's results."""
    built = [] if settings["model"]["folder"] else ["random" if settings["model"]["random"] else "tiny"]
    habit = ["habit"] if settings["data"]["raw"] == INTERFACE else []
    parts = ["parts"] if has_parts else []
    return [
        *habit,
        *built,
        "one_training",
        "scores",
        "preference",
        "many",
        *parts,
        "selection",
        *(["speed"] if has_speed else []),
    ]


def data_values(files: RunFiles, data: Row) -> Values:
    """Return the counts of the rows of data.raw and data.val, and those of data.analyses, where they are set."""
    quality = read_json(files.quality)
    held_out = {"data.val": read_json(files.val_quality)} if data["val"] else {}
    return {
        "quality": quality,
        "accounts": {"data.raw": quality} | held_out,
        "analyses": sum_accounts(files.analyses.values()) if data["analyses"] else None,
        "tokens": read_json(files.tokens),
    }


def prompt_values(infer: Path, names: Iterable[str]) -> Values:
    """Return the files of answers to infer.prompts, with the number of rows of each."""
    files = [infer / name / "predictions.jsonl" for name in names]
    return {
        "prompts": {f"infer/{file.parent.name}/{file.name}": sum(1 for _ in iterate_json_lines(file)) for file in files}
    }
