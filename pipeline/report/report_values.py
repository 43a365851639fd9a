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
from pipeline.report.figure_rows import GROUPS, PartTable, compare_models, list_part_tables, summarize_figures
from pipeline.report.messages import say_in_all
from pipeline.report.numbers_in_words import is_number, only_number
from pipeline.report.pick_changes import Picked
from pipeline.settings.embedded_data import EMBEDDED, INTERFACE
from pipeline.settings.run_files import RunFiles

Row = dict[str, Any]
Values = dict[str, Any]

MOST_TAGS = 200  # to choose from
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
    """Return, of the first and the last model, the tokens of thinking and the share of answers without a whole final.

    Both are None where neither model has any. `thinks_less` says whether the interval of the difference is below zero.
    """
    first, last = metrics["models"][0], metrics["models"][-1]

    def find(*names: str) -> list[float] | None:
        figures = [(metrics.get("answers") or {}).get(model) or {} for model in (first, last)]
        sums = [sum((side.get(name) or {}).get("value") or 0 for name in names) for side in figures]
        return sums if any(sums) else None

    change = ((metrics.get("comparisons") or {}).get(f"{last}-{first}") or {}).get("analysis_tokens") or {}
    return {
        "thinking": find("analysis_tokens"),
        "lost_finals": find("cut_answers", "no_final"),
        "thinks_less": is_number(change.get("high")) and change["high"] < 0,
    }


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
    """Return all gates, and their number."""
    rows = [row for _, found in gates for row in found]
    return {"gates": gates, "gates_count": len(rows), "gates_passed": sum(bool(row["passed"]) for row in rows)}


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


def reproduce(machine: Row, settings: Row) -> str:
    """Return the commands that reproduce the run."""
    commit = machine.get("commit")
    command = machine.get("command") or "snakemake --cores all  # not recorded: an overlay goes with --configfile"
    lines = [
        *([f"git checkout {commit}"] if commit else []),
        "make setup",
        ". .venv/bin/activate",
        *([] if settings["data"]["raw"] in EMBEDDED else [f"# the pairs: {settings['data']['raw']}"]),
        *([] if settings["model"]["folder"] is None else [f"# the model: {settings['model']['folder']}"]),
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
