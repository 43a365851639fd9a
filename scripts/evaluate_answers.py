"""Compare the answers of several models: figures, each with a 95 % interval.

    python -m scripts.evaluate_answers base=results/tiny/evaluate/base/predictions.jsonl \
        dpo=results/tiny/infer/predictions.jsonl \
        --settings "$(python -m tools.show_settings evaluate_answers)" --only bleu chrf

Prints the figures, or writes answer_metrics.json, answers.jsonl and gates.json into --out. Name the models in the order
in which they were trained; each is compared with those before it. Finals are scored; an answer that was cut or has no
final is scored as an empty one. The gate is reported, and stops nothing, since the report shows what the training did.
With data.languages: null, figures of translations are left out.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.answer_ends import LOST_FINALS, end_metrics, judge_lost_finals
from pipeline.evaluation.corpus_metrics import Bleu, Chrf, Ter, signature
from pipeline.evaluation.figures import Figure, Resampled, write_figures
from pipeline.evaluation.own_metric import load_own_metric
from pipeline.evaluation.predictions import HeldOut, read_predictions
from pipeline.evaluation.row_metrics import general_metrics, hits, read_terms, translation_metrics
from pipeline.evaluation.row_scores import judged_metric, read_scores
from pipeline.evaluation.side_by_side import SideBySide, read_side_by_side
from pipeline.evaluation.statistics import count_statistics
from pipeline.files.json_lines import write_json_lines
from pipeline.gates import require_gates, write_gates
from pipeline.settings.model_words import METAVAR, read_single_files
from pipeline.settings.stage import stage_parser

Metrics = dict[str, Any]
# Inside --out.
METRICS = "answer_metrics.json"
ROWS = "answers.jsonl"
GATES = "gates.json"
SIGNED = ("bleu", "chrf", "ter")
THOUGHTS = ("chosen_analysis", "rejected_analysis")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("predictions", nargs="+", metavar=METAVAR, help="predictions.jsonl of each model")
    parser.add_argument("--judgements", type=Path, nargs="?", metavar="FILE", help="what judge_answers.py wrote")
    parser.add_argument("--comet", type=Path, nargs="?", metavar="FILE", help="what score_comet.py wrote")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="figures to compute; default: all")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument(
        "--out", type=Path, help="folder for the figures, the answers side by side with scores, and the gates"
    )
    return parser.parse_args(argv)


def choose_metrics(args: argparse.Namespace) -> Metrics:
    """Return the figures that the settings and the command line ask for, by name."""
    settings, languages = args.settings["evaluate"], args.settings["data"]["languages"]
    metrics: Metrics = {figure["name"]: load_own_metric(figure["function"]) for figure in settings["own"]}
    if languages:
        metrics |= {"bleu": Bleu(languages["target"]), "chrf": Chrf(), "ter": Ter(settings["seed"])}
        metrics |= translation_metrics()
    if settings["terms"]:
        metrics["term_hits"] = hits(read_terms(Path(settings["terms"])))
    if args.comet:
        metrics["comet"] = read_scores(args.comet)
    metrics |= general_metrics() | end_metrics()
    known = [*metrics, *(["win_rate"] if args.judgements else [])]
    if unknown := sorted(set(args.only or ()) - set(known)):
        sys.exit(f"--only: {', '.join(unknown)}: not a figure of this comparison; there are: {', '.join(known)}")
    return {name: metric for name, metric in metrics.items() if not args.only or name in args.only}


def recompute_command(args: argparse.Namespace, name: str) -> str:
    """Return the command that computes a figure again."""
    words = ["--settings", json.dumps(args.settings, ensure_ascii=False)]
    for option, file in (("--judgements", args.judgements), ("--comet", args.comet)):
        words += [option, str(file)] if file else []
    return shlex.join(["python", "-m", "scripts.evaluate_answers", *args.predictions, *words, "--only", name])


def resample(args: argparse.Namespace, rows: SideBySide, statistics: dict[Any, Any]) -> Resampled:
    """Return statistics of the rows, resampled according to the settings."""
    settings = args.settings["evaluate"]
    return Resampled(statistics, rows.prompts, settings["resamples"], settings["seed"])


def evaluate(args: argparse.Namespace, rows: SideBySide, metrics: Metrics, statistics: dict[Any, Any]) -> Metrics:
    """Return the figures of each model, and the differences between each two models."""
    resampled = resample(args, rows, statistics) if statistics else None
    answers: dict[str, dict[str, Figure]] = {model: {} for model in rows.models}
    comparisons: dict[str, dict[str, Figure]] = {f"{b}-{a}": {} for a, b in combinations(rows.models, 2)}
    for name, metric in metrics.items():
        assert resampled
        for model in rows.models:
            answers[model][name] = resampled.figure(name, metric, model, recompute_command(args, name))
        for one, two in combinations(rows.models, 2):
            figure = resampled.comparison(name, metric, one, two, recompute_command(args, name))
            comparisons[f"{two}-{one}"][name] = figure
    return {
        "models": rows.models,
        "answers": answers,
        "comparisons": comparisons,
        "better": {figure["name"]: figure["better"] for figure in args.settings["evaluate"]["own"]},
        "signatures": {name: signature(metrics[name].metric) for name in SIGNED if name in metrics},
    }


def add_win_rates(args: argparse.Namespace, rows: SideBySide, found: Metrics) -> None:
    """Add the rates at which a judge prefers one model's answers to another's; a tie counts half."""
    for one, two in combinations(rows.models, 2):
        metric = judged_metric(args.judgements, one, two)
        table = metric.statistics(rows, two)
        if np.isnan(table).all():
            continue
        resampled = resample(args, rows, {("win_rate", two): table})
        figure = resampled.figure("win_rate", metric, two, recompute_command(args, "win_rate"))
        found["comparisons"][f"{two}-{one}"]["win_rate"] = figure | {"p": None}


def list_answers(rows: SideBySide, files: Mapping[str, Path], scores: dict[str, Any]) -> Iterator[Metrics]:
    """Yield the rows of answers.jsonl: a prompt, its answers and their scores, and the change of the main score."""
    first, *_, last = rows.models if len(rows.models) > 1 else [*rows.models, rows.models[0]]
    main = next(iter(scores))
    for i, found in enumerate(zip(*(read_predictions(path, HeldOut) for path in files.values()), strict=True)):
        row, by_model = found[0], dict(zip(files, found, strict=True))
        own = {model: {name: as_json(values[model][i]) for name, values in scores.items()} for model in rows.models}
        before, after = (own[model][main] for model in (first, last))
        yield {
            **row.name,
            "messages": row.messages,
            "chosen": row.chosen,
            "rejected": row.rejected,
            **{side: text for side in THOUGHTS if (text := getattr(row, side)) is not None},
            "answers": {model: rows.answers[model][i] for model in rows.models},
            "finish": {model: said.finish for model, said in by_model.items()},
            "analysis": {model: said.analysis for model, said in by_model.items() if said.analysis is not None},
            "scores": own,
            "change": None if before is None or after is None else round(after - before, 6),
        }


def as_json(score: float) -> float | None:
    """Return a score of a row; None where it does not apply."""
    return round(float(score), 6) if np.isfinite(score) else None


def score_rows(
    rows: SideBySide, metrics: Metrics, own: Iterable[str], statistics: dict[Any, Any]
) -> dict[str, dict[str, list[float]]]:
    """Return a score for each row, by figure and model: the user's own figures first, then chrF."""
    shown = {name: metrics[name] for name in (*own, "chrf", "comet") if name in metrics} or {"chrf": Chrf()}
    return {
        name: {
            model: [metric.score(row) for row in statistics_of(rows, name, metric, model, statistics)]
            for model in rows.models
        }
        for name, metric in shown.items()
    }


def statistics_of(rows: SideBySide, name: str, metric: Any, model: str, known: dict[Any, Any]) -> Any:
    """Return the statistics of a figure, from those known already if it is among them."""
    return known[name, model] if (name, model) in known else metric.statistics(rows, model)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    metrics = choose_metrics(args)
    files = read_single_files(args.predictions)
    rows = read_side_by_side(files)
    statistics = count_statistics(metrics, rows, args.cores)
    found = evaluate(args, rows, metrics, statistics)
    if args.judgements and (not args.only or "win_rate" in args.only):
        add_win_rates(args, rows, found)
    write_figures(found, args.out and args.out / METRICS)
    if args.out:
        scores = score_rows(rows, metrics, found["better"], statistics)
        write_json_lines(args.out / ROWS, list_answers(rows, files, scores))
        write_gates(args.out / GATES, judge_lost_finals(rows, args.settings["gates"]["lost_finals"]))
        require_gates(args.out / GATES, reported=[LOST_FINALS])


if __name__ == "__main__":
    main()
