"""Write the report of a run: one page that opens without a network, in English and Chinese, and its curves as files.

    python -m scripts.write_report --run tiny --report results/tiny/report.html --plots results/tiny/plots \\
        --metrics results/tiny/evaluate/metrics.json --answers results/tiny/evaluate/answers.jsonl \\
        --curves results/tiny/dpo/curves.jsonl --in-force results/tiny/dpo/settings.json \\
        --coverage results/tiny/dpo/lora_coverage.csv --tokens results/tiny/dpo/tokens.json \\
        --quality results/tiny/data/quality.json --gates results/tiny/{data,dpo,merge,infer}/gates.json \\
        --hash pairs results/tiny/data/pairs.jsonl --logs results/tiny/logs

With --sft-curves, the curves of the SFT before DPO are in it too. What --logs holds of the machine and the speed is
shown where it is there.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_lines import iterate_json_lines, read_json_lines
from pipeline.report.answer_cards import make_cards
from pipeline.report.curves import Chart, chart_speed, chart_training
from pipeline.report.draw_charts import draw_files
from pipeline.report.facts import hash_inputs, read_all_gates, read_json, read_machine
from pipeline.report.page import write_page
from pipeline.report.pick_changes import pick_changes
from pipeline.report.report_values import (
    chart_parts,
    describe_answers,
    describe_coverage,
    describe_data,
    describe_evaluation,
    describe_gates,
    describe_settings,
    list_limits,
    reproduce,
)
from pipeline.settings.check import load_config

Groups = dict[str, list[Chart]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the report reads and writes."""
    parser.add_argument("--run", required=True)
    parser.add_argument("--report", type=Path, required=True, help="HTML")
    parser.add_argument("--plots", type=Path, required=True, help="folder for the curves, as SVG and PNG")
    parser.add_argument("--metrics", type=Path, required=True, help="figures of the evaluation")
    parser.add_argument("--answers", type=Path, required=True, help="answers of the evaluation")
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--sft-curves", type=Path)
    parser.add_argument("--sft-logs", type=Path, help="folder of train_sft.machine.json, if not that of --logs")
    parser.add_argument("--in-force", type=Path, required=True, help="settings.json of the training")
    parser.add_argument("--coverage", type=Path, required=True, help="lora_coverage.csv of the training")
    parser.add_argument("--quality", type=Path, required=True, help="account of the conversion")
    parser.add_argument("--tokens", type=Path, required=True, help="account of the tokens")
    parser.add_argument("--gates", type=Path, nargs="*", default=[], help="gates.json of each stage, those that exist")
    parser.add_argument("--hash", nargs=2, action="append", default=[], metavar=("NAME", "FILE"), help="pairs, model …")
    parser.add_argument("--logs", type=Path, required=True, help="folder of *.machine.json and *.speed.jsonl")
    parser.add_argument("--settings", type=json.loads, help="JSON: the run's settings; without it config.yaml's")


def require_files(args: argparse.Namespace) -> None:
    """Stop with one line if a file is missing without which there is no report."""
    for name in ("metrics", "answers", "curves", "in_force", "coverage", "quality", "tokens"):
        path = getattr(args, name)
        if not path.is_file():
            sys.exit(
                f"{path}: no such file; run the stage that writes it, or name another with --{name.replace('_', '-')}"
            )


def read_charts(args: argparse.Namespace) -> tuple[Groups, dict[str, Any]]:
    """Return the charts by stage, and what each training wrote of its machine."""
    sft = {"sft": chart_training(read_json_lines(args.sft_curves), "sft")} if args.sft_curves else {}
    groups = sft | {"dpo": chart_training(read_json_lines(args.curves)), "speed": []}
    machines = {}
    for stage in (*sft, "dpo"):
        logs = args.sft_logs if stage == "sft" and args.sft_logs else args.logs
        machines[stage], speed = read_machine(logs, f"train_{stage}")
        groups["speed"] += chart_speed(speed, "" if stage == "dpo" else stage)
    return groups, machines


def find_losses(curves: list[dict[str, Any]]) -> list[float]:
    """Return the first and the last training loss, nothing where there are none."""
    losses = [row["loss"] for row in curves if "loss" in row]
    return [losses[0], losses[-1]] if losses else []


def write_plots(charts: list[Chart], plots: Path) -> None:
    """Write the curves as files, whole or not at all, and the folder's manifest beside it."""
    plots.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=plots.parent, prefix=f".{plots.name}.") as name:
        draw_files(charts, Path(name) / plots.name)
        shutil.rmtree(plots, ignore_errors=True)
        (Path(name) / plots.name).replace(plots)
    write_manifest(plots, plots.with_name(f"{plots.name}.sha256"))


def gather_values(args: argparse.Namespace, metrics: dict[str, Any]) -> tuple[list[Chart], list[Any], dict[str, Any]]:
    """Return the page's charts, its answers, and all that its template places."""
    usual = load_config([])
    settings = args.settings or usual
    groups, machines = read_charts(args)
    tables, part_charts = chart_parts(metrics)
    picked = pick_changes(iterate_json_lines(args.answers))
    values = {
        "title_key": "page.report",
        "run": args.run,
        "machines": machines,
        "chart_groups": {stage: [chart.file for chart in charts] for stage, charts in groups.items()},
        "losses": find_losses(read_json_lines(args.curves)),
        "part_tables": tables,
        "hashes": hash_inputs({name: Path(file) for name, file in args.hash}),
        "reproduction": reproduce(machines["dpo"], settings),
        "limits": list_limits(settings, bool(tables), bool(groups["speed"])),
    }
    values |= describe_evaluation(metrics) | describe_data(args.quality, args.tokens) | describe_answers(picked)
    values |= describe_gates(read_all_gates(args.gates)) | describe_coverage(args.coverage)
    values |= describe_settings(settings, usual, read_json(args.in_force))
    charts = [chart for group in groups.values() for chart in group]
    return [*charts, *part_charts], make_cards(picked, metrics["models"]), values


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args(argv)
    require_files(args)
    metrics = json.loads(args.metrics.read_text(encoding="utf-8"))
    charts, cards, values = gather_values(args, metrics)
    # What differs from run to run has no place among the files.
    lasting = values["chart_groups"].get("sft", []) + values["chart_groups"]["dpo"]
    write_plots([chart for chart in charts if chart.file in lasting], args.plots)
    write_page(args.report, "report.html", charts, cards, **values)
    print(f"{args.report}: {len(cards)} of {values['picked'].total} answers, {len(charts)} charts")


if __name__ == "__main__":
    main()
