"""Compare the answers of several models, with an interval for every figure.

    python -m scripts.evaluate_answers base=results/tiny/evaluate/base/predictions.jsonl \\
        dpo=results/tiny/infer/predictions.jsonl --target en --only bleu chrf

Prints the figures, or writes them to --metrics. The models come in the order in which they were made, and are compared
with those before them. --target is the language of translations; without it, figures of translations are left out.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.corpus_metrics import Bleu, Chrf, Ter, signature
from pipeline.evaluation.figures import Figure, Resampled, write_figures
from pipeline.evaluation.own_metric import load_own_metric
from pipeline.evaluation.row_metrics import general_metrics, hits, read_terms, translation_metrics
from pipeline.evaluation.row_scores import judged_metric, read_scores
from pipeline.evaluation.side_by_side import SideBySide, parse_models, read_rows, read_side_by_side
from pipeline.evaluation.statistics import count_rows
from pipeline.files.json_lines import write_json_lines

Metrics = dict[str, Any]
SIGNED = ("bleu", "chrf", "ter")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", nargs="+", metavar="MODEL=FILE", help="predictions.jsonl of each model")
    parser.add_argument("--target", help="language of translations (ISO 639-1)")
    parser.add_argument("--terms", type=Path, help="terms and their translations, a tab between them")
    parser.add_argument("--own", metavar="FILE:FUNCTION", help="a figure of your own")
    parser.add_argument("--comet", type=Path, metavar="FILE", help="what score_comet.py wrote")
    parser.add_argument("--judgements", type=Path, metavar="FILE", help="what judge_answers.py wrote")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="figures to compute; all without it")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--metrics", type=Path, help="JSON for the figures")
    parser.add_argument("--rows", type=Path, help="JSON Lines for the answers side by side, with their scores")
    return parser.parse_args(argv)


def choose_metrics(args: argparse.Namespace) -> Metrics:
    """Return the figures that the command line asks for, by name."""
    metrics: Metrics = {}
    if args.target:
        metrics |= {"bleu": Bleu(args.target), "chrf": Chrf(), "ter": Ter(args.seed)} | translation_metrics()
    if args.terms:
        metrics["term_hits"] = hits(read_terms(args.terms))
    if args.comet:
        metrics["comet"] = read_scores(args.comet)
    if args.own:
        metrics["own"] = load_own_metric(args.own)
    metrics |= general_metrics()
    known = [*metrics, *(["win_rate"] if args.judgements else [])]
    if unknown := sorted(set(args.only or ()) - set(known)):
        sys.exit(f"--only: {', '.join(unknown)}: not a figure of this comparison; there are: {', '.join(known)}")
    return {name: metric for name, metric in metrics.items() if not args.only or name in args.only}


def again(args: argparse.Namespace, name: str) -> str:
    """Return the command that computes a figure again."""
    options = [("--target", args.target), ("--terms", args.terms), ("--own", args.own), ("--comet", args.comet)]
    options += [("--judgements", args.judgements), ("--resamples", args.resamples), ("--seed", args.seed)]
    words = [word for option, value in options if value is not None for word in (option, str(value))]
    return shlex.join(["python", "-m", "scripts.evaluate_answers", *args.predictions, *words, "--only", name])


def evaluate(args: argparse.Namespace, rows: SideBySide, metrics: Metrics, statistics: dict[Any, Any]) -> Metrics:
    """Return the figures of each model, and of each two of them compared."""
    resampled = Resampled(statistics, rows.prompts, args.resamples, args.seed) if statistics else None
    answers: dict[str, dict[str, Figure]] = {model: {} for model in rows.models}
    comparisons: dict[str, dict[str, Figure]] = {f"{b}-{a}": {} for a, b in combinations(rows.models, 2)}
    for name, metric in metrics.items():
        assert resampled
        for model in rows.models:
            answers[model][name] = resampled.figure(name, metric, model, again(args, name))
        for one, two in combinations(rows.models, 2):
            figure = resampled.comparison(name, metric, one, two, again(args, name))
            comparisons[f"{two}-{one}"][name] = figure
    return {
        "models": rows.models,
        "answers": answers,
        "comparisons": comparisons,
        "signatures": {name: signature(metrics[name].metric) for name in SIGNED if name in metrics},
    }


def add_win_rates(args: argparse.Namespace, rows: SideBySide, found: Metrics) -> None:
    """Add how often a judge prefers a model's answer to another's, a tie counting half."""
    for one, two in combinations(rows.models, 2):
        metric = judged_metric(args.judgements, one, two)
        table = metric.statistics(rows, two)
        if np.isnan(table).all():
            continue
        resampled = Resampled({("win_rate", two): table}, rows.prompts, args.resamples, args.seed)
        figure = resampled.figure("win_rate", metric, two, again(args, "win_rate"))
        found["comparisons"][f"{two}-{one}"]["win_rate"] = figure | {"p": None}


def side_by_side(args: argparse.Namespace, rows: SideBySide, scores: dict[str, Any]) -> Iterator[Metrics]:
    """Yield the rows of answers.jsonl: a prompt, its answers and their scores, and by how much the main one rose."""
    files = parse_models(args.predictions)
    first, *_, last = rows.models if len(rows.models) > 1 else [*rows.models, rows.models[0]]
    main = "own" if "own" in scores else "chrf"
    for i, row in enumerate(read_rows(files[first])):
        own = {model: {name: as_json(by_model[model][i]) for name, by_model in scores.items()} for model in rows.models}
        before, after = (own[model][main] for model in (first, last))
        yield {
            "id": row.id,
            **({"tag": row.tag} if row.tag is not None else {}),
            "messages": row.messages,
            "chosen": row.chosen,
            "rejected": row.rejected,
            "answers": {model: rows.answers[model][i] for model in rows.models},
            "scores": own,
            "change": None if before is None or after is None else round(after - before, 6),
        }


def as_json(score: float) -> float | None:
    """Return a score of a row; None where it does not apply."""
    return round(float(score), 6) if np.isfinite(score) else None


def score_rows(rows: SideBySide, metrics: Metrics, statistics: dict[Any, Any]) -> dict[str, dict[str, list[float]]]:
    """Return, by figure and model, a score for each row: of chrF, and of what the user brought."""
    shown = {name: metrics[name] for name in ("chrf", "comet", "own") if name in metrics} or {"chrf": Chrf()}
    return {
        name: {
            model: [metric.score(row) for row in statistics_of(rows, name, metric, model, statistics)]
            for model in rows.models
        }
        for name, metric in shown.items()
    }


def statistics_of(rows: SideBySide, name: str, metric: Any, model: str, known: dict[Any, Any]) -> Any:
    """Return the statistics of a figure, which may be known already."""
    return known[name, model] if (name, model) in known else metric.statistics(rows, model)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    metrics = choose_metrics(args)
    rows = read_side_by_side(parse_models(args.predictions))
    statistics = count_rows(metrics, rows, args.cores)
    found = evaluate(args, rows, metrics, statistics)
    if args.judgements and (not args.only or "win_rate" in args.only):
        add_win_rates(args, rows, found)
    if args.rows:
        write_json_lines(args.rows, side_by_side(args, rows, score_rows(rows, metrics, statistics)))
    write_figures(found, args.metrics)


if __name__ == "__main__":
    main()
