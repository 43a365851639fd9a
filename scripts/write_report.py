"""Write the report of a run: one page that opens without a network, in English and Chinese, and its curves as files.

    python -m scripts.write_report --settings "$(python -m tools.show_settings write_report)" \\
        --run results/tiny --out results/tiny

The files that it reads have fixed names in the run's folder (pipeline/settings/run_files.py). The machine and the speed
of a training are shown where they were recorded.
"""

import shutil
from pathlib import Path
from typing import Any

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_files import read_json
from pipeline.files.json_lines import iterate_json_lines, read_json_lines
from pipeline.report.answer_cards import make_cards
from pipeline.report.curves import Chart, chart_speed, chart_training
from pipeline.report.draw_charts import draw_files
from pipeline.report.facts import hash_inputs, read_all_gates, read_machine
from pipeline.report.page import write_page
from pipeline.report.pick_changes import pick_changes
from pipeline.report.report_values import (
    about_own,
    answer_values,
    chart_parts,
    coverage_values,
    data_values,
    evaluation_values,
    gate_values,
    list_limits,
    pick_headline,
    prompt_values,
    reproduce_in_all,
    setting_values,
)
from pipeline.report.verdict import find_verdicts
from pipeline.settings.check import load_config
from pipeline.settings.run_files import RunFiles, add_run, files_of, require_files
from pipeline.settings.stage import stage_parser

Groups = dict[str, list[Chart]]

PAGE = "report.html"
PLOTS = "plots"


def list_needed(files: RunFiles, curves: dict[str, Path], settings: dict[str, Any]) -> list[Path]:
    """Return the files without which there is no report."""
    needed = [files.val_quality] if settings["data"]["val"] else []
    needed += files.analyses.values() if settings["data"]["analyses"] else []
    needed += [files.infer / name / "predictions.jsonl" for name in settings["infer"]["prompts"] or {}]
    needed += [files.metrics, files.answers, *curves.values(), files.in_force, files.coverage]
    return [*needed, files.quality, files.tokens, files.pairs, files.model, files.adapter]


def read_charts(curves: dict[str, Path], logs: dict[str, Path]) -> tuple[Groups, dict[str, Any]]:
    """Return the charts by stage, and the machine that each training recorded."""
    groups: Groups = {stage: [] for stage in (*curves, "speed")}
    machines = {}
    for stage, path in curves.items():
        name = "" if stage == "dpo" else stage
        groups[stage] = chart_training(read_json_lines(path), name)
        machines[stage], speed = read_machine(logs[stage], f"train_{stage}")
        groups["speed"] += chart_speed(speed, name)
    return groups, machines


def find_losses(curves: list[dict[str, Any]]) -> list[float]:
    """Return the first and the last training loss, or nothing if there are no losses."""
    losses = [row["loss"] for row in curves if "loss" in row]
    return [losses[0], losses[-1]] if losses else []


def write_plots(charts: list[Chart], plots: Path) -> None:
    """Write the curves as files, all or none, and the folder's manifest beside it."""
    partial = plots.with_name(f"{plots.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    draw_files(charts, partial)
    shutil.rmtree(plots, ignore_errors=True)
    partial.replace(plots)
    write_manifest(plots, plots.with_name(f"{plots.name}.sha256"))


def gather_values(
    files: RunFiles, curves: dict[str, Path], settings: dict[str, Any]
) -> tuple[Groups, list[Chart], list[Any], dict[str, Any]]:
    """Return the trainings' charts by stage, the evaluation's charts, the answers, and the page's other values."""
    usual, metrics = load_config([]), read_json(files.metrics)
    groups, machines = read_charts(curves, files.logs)
    tables, part_charts = chart_parts(metrics)
    picked = pick_changes(iterate_json_lines(files.answers))
    values = {
        "title_key": "page.report",
        "run": files.name,
        "machines": machines,
        "chart_groups": {stage: [chart.file for chart in charts] for stage, charts in groups.items()},
        "losses": find_losses(read_json_lines(files.curves)),
        "part_tables": tables,
        "hashes": hash_inputs({"pairs": files.pairs, "model": files.model, "adapter": files.adapter}),
        "headline": pick_headline([chart.file for chart in groups["dpo"]]),
        "verdicts": find_verdicts(metrics, settings["infer"]["answers_per_prompt"]),
        "about": about_own(settings["evaluate"]["own"]),
        "reproduction": reproduce_in_all(machines["dpo"], settings),
        "limits": list_limits(settings, bool(tables), bool(groups["speed"])),
    }
    names = list(settings["infer"]["prompts"] or {})
    gates = files.gates + [(f"infer/{name}", files.infer / name / "gates.json") for name in names]
    values |= evaluation_values(metrics) | data_values(files, settings["data"]) | answer_values(picked)
    values |= prompt_values(files.infer, names) | gate_values(read_all_gates(gates)) | coverage_values(files.coverage)
    values |= setting_values(settings, usual, read_json(files.in_force))
    return groups, part_charts, make_cards(picked, metrics["models"]), values


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=f"{PAGE}, and the curves as SVG and PNG in {PLOTS}/")
    add_run(parser)
    args = parser.parse_args(argv)
    files = files_of(args)
    curves = ({"sft": files.sft_curves} if args.settings["sft"]["enabled"] else {}) | {"dpo": files.curves}
    require_files(list_needed(files, curves, args.settings))

    groups, part_charts, cards, values = gather_values(files, curves, args.settings)
    args.out.mkdir(parents=True, exist_ok=True)
    # Time and memory differ from run to run, so they are in the page only.
    write_plots([chart for stage in curves for chart in groups[stage]], args.out / PLOTS)
    charts = [*(chart for group in groups.values() for chart in group), *part_charts]
    write_page(args.out / PAGE, "report.html", charts, cards, **values)
    print(f"{args.out / PAGE}: {len(cards)} of {values['picked'].total} answers, {len(charts)} charts")


if __name__ == "__main__":
    main()
