"""List the results of a run: where each is, and its main figures.

    python -m tools.show_results --run tiny
    python -m tools.show_results experiments/mine.yaml

Without either, it lists those of the run that config.yaml names.
"""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.files.folder_manifest import CARD
from pipeline.files.json_lines import read_json_lines
from pipeline.gates import read_gates
from pipeline.preferences.problems import PROBLEMS
from pipeline.preferences.rejects import say_dropped
from pipeline.report.sweep_table import find_lowest_loss
from pipeline.settings.check import load_config
from pipeline.settings.run_files import RunFiles
from pipeline.settings.stage import stage_parser


def describe_curves(rows: list[dict[str, Any]]) -> str:
    """Return the first loss and the held-out reward accuracy in words."""
    losses = [row["loss"] for row in rows if "loss" in row]
    held_out = [row["eval_rewards/accuracies"] for row in rows if "eval_rewards/accuracies" in row]
    words = [f"loss {losses[0]:.4f} -> {losses[-1]:.4f}"] if losses else []
    words += [f"held-out reward accuracy {held_out[-1]:.2f}"] if held_out else []
    return ", ".join(words)


def describe_quality(path: Path) -> str:
    """Return how many rows were used and dropped, and the codes of what was found in them."""
    account = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not account:
        return ""
    said = f"{account['rows_used']} of {account['rows_in']} rows used"
    if account["rows_rejected"]:
        said = say_dropped(account["rows_rejected"], account["rows_in"], account["codes"])
    found = ", ".join(code for code in account["codes"] if PROBLEMS[code].severity == "warning")
    return said + (f"; found: {found}" if found else "")


def describe_token_rejects(path: Path) -> str:
    """Return how many pairs were dropped for their tokens, and the codes why."""
    codes = Counter(row["code"] for row in read_json_lines(path)) if path.is_file() else Counter[str]()
    said = ", ".join(f"{count:,} {code}" for code, count in codes.most_common())
    return f"{codes.total():,} pairs dropped for their tokens: {said}" if codes else ""


def describe_evaluation(path: Path) -> str:
    """Return figures of the run's own before and after, or how much more the tuned model prefers chosen answers."""
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if own := metrics.get("better"):
        before, after = (metrics["answers"][metrics["models"][end]] for end in (0, -1))
        return ", ".join(f"{name} {before[name]['value']:.2f} -> {after[name]['value']:.2f}" for name in own)
    margin = metrics.get("pairs", {}).get("dpo", {}).get("reward_margin")
    if not margin:
        return ""
    interval = "" if margin["low"] is None else f" [{margin['low']:.2f}, {margin['high']:.2f}]"
    return f"held-out reward margin {margin['value']:.2f}{interval}"


def describe_sweep(path: Path) -> str:
    """Return how many points a sweep's table has, and the one with the lowest held-out loss."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    best = find_lowest_loss(rows)
    found = f"; lowest held-out loss {float(best['held_out_loss']):.4f}: {best['point']}" if best else ""
    return f"{len(rows)} points{found}"


def describe_gates(folder: Path) -> str:
    """Return how many gates the stages of a run passed, and the names of those that failed and were only reported."""
    files = [*(path for _, path in RunFiles(folder).gates), *sorted(folder.glob("infer/*/gates.json"))]
    gates = [row for path in files for row in read_gates(path)]
    failed = ", ".join(row["gate"] for row in gates if not row["passed"])
    return f"{sum(row['passed'] for row in gates)} of {len(gates)} gates passed" + (
        f"; not: {failed}" if failed else ""
    )


def describe_card(folder: Path) -> str:
    """Return where the model's card is: DVC brings the model without it."""
    placed = (folder / "merged" / CARD).is_file()
    return f"its card{', also in it' if placed else f'; copy it to merged/{CARD} before you share the model'}"


def show_results(run: str) -> str:
    """Return a line for each kind of result that is there: its path and its main figures."""
    folder = Path("results") / run
    predictions = folder / "infer" / "predictions.jsonl"
    curves = folder / "dpo" / "curves.jsonl"
    table = folder / "sweep.csv"
    quality, tokens = folder / "data" / "quality.json", folder / "data" / "token_rejects.jsonl"
    answers, rows = (read_json_lines(path) if path.is_file() else [] for path in (predictions, curves))
    lines = [
        (quality, describe_quality(quality)),
        (tokens, describe_token_rejects(tokens)),
        (predictions, f"{len(answers)} answers to held-out prompts"),
        *(
            (path, f"{len(read_json_lines(path))} answers to {path.parent.name}")
            for path in sorted(folder.glob("infer/*/predictions.jsonl"))
        ),
        (folder / "evaluate" / "metrics.json", describe_evaluation(folder / "evaluate" / "metrics.json")),
        (folder / "report.html", "all of this on one page, in English and Chinese"),
        (folder / "merged", "the tuned model, ready for transformers"),
        (folder / "export", "the tuned model as GGUF, ready for llama.cpp and Ollama"),
        (folder / "model_card.md", describe_card(folder)),
        (curves, describe_curves(rows)),
        (folder / "dpo" / "gates.json", f"{describe_gates(folder)}, of all stages"),
        (table, describe_sweep(table)),
        (folder / "sweep.svg", "the same as a plot"),
        (folder / "ro-crate-metadata.json", "which jobs made all this: a Workflow Run RO-Crate"),
        (folder / "sweep.html", "the points on one page"),
        (folder / "swanlab", "SwanLab's record of the training; make board shows it"),
        (folder / "stages.csv", "how long each job took, and how much memory"),
        (folder / "logs", "a log for each stage"),
    ]
    there = [(str(path), text) for path, text in lines if path.exists() and (text or path != tokens)]
    width = max((len(path) for path, _ in there), default=0)
    shown = [f"  {path:<{max(width, 42)}} {text}" for path, text in there]
    return "\n".join([f"Run {run}:", *shown])


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order, for the run's name")
    parser.add_argument("--run", help="name of the run")
    args = parser.parse_args(argv)
    print(show_results(args.run or load_config(args.overlays)["run"]))


if __name__ == "__main__":
    main()
