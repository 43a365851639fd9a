"""Compare the log-probabilities that several models give to the chosen and rejected answers of held-out pairs.

    python -m scripts.evaluate_pairs base=results/tiny/evaluate/base/scores/0.jsonl \
        dpo=results/tiny/evaluate/dpo/scores/0.jsonl --pairs results/tiny/dpo/val.jsonl --reference base \
        --settings "$(python -m tools.show_settings evaluate_pairs)"

Prints the figures, or writes pair_metrics.json and pairs.jsonl into --out. A model may have several files, its shards
in order, with commas between them. Log-probabilities are sums over an answer's tokens, in nats. The reward of an
answer is dpo.beta times its log-probability under the model minus that under the reference (Rafailov et al. 2023).
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.figures import Figure, Resampled, write_figures
from pipeline.evaluation.pair_groups import group_by_length, group_by_tag
from pipeline.evaluation.pair_scores import PairScores, read_pair_scores
from pipeline.evaluation.row_metrics import Statistics
from pipeline.files.json_lines import write_json_lines
from pipeline.settings.model_words import METAVAR, read_files
from pipeline.settings.stage import stage_parser

Column = Callable[[PairScores, str], Any]
# Inside --out.
METRICS = "pair_metrics.json"
ROWS = "pairs.jsonl"
BY_GROUP = ("reward_accuracy", "reward_margin")


class Mean:
    """The mean of a value over the pairs; where the values are true or false, a share."""

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def score(self, sums: Statistics) -> float:
        """Return the mean of sums: of the values, and of the pairs."""
        return float(sums[0] / sums[1]) if sums[1] else float("nan")


MEAN, SHARE = Mean("nats"), Mean("share")
SHARES = ("preference_accuracy", "reward_accuracy")
# Of the model alone: log-probabilities in nats, and whether it prefers the chosen answer.
PLAIN: dict[str, Column] = {
    "chosen_logp": lambda pairs, model: pairs.chosen[model],
    "rejected_logp": lambda pairs, model: pairs.rejected[model],
    "preference_accuracy": lambda pairs, model: pairs.chosen[model] > pairs.rejected[model],
}
# Against the reference, as the training logs them.
REWARDS: dict[str, Column] = {
    "reward_accuracy": lambda pairs, model: pairs.margin(model) > 0,
    "reward_margin": lambda pairs, model: pairs.margin(model),
    "reward_chosen": lambda pairs, model: pairs.reward(pairs.chosen, model),
    "reward_rejected": lambda pairs, model: pairs.reward(pairs.rejected, model),
}


def metric_of(name: str) -> Mean:
    """Return how a figure is computed from its column."""
    return SHARE if name in SHARES else MEAN


def columns_of(pairs: PairScores, model: str) -> dict[str, Column]:
    """Return the figures of a model. The reference has no rewards, since they would all be 0."""
    return PLAIN | ({} if model == pairs.reference else REWARDS)


def as_statistics(values: Any, counted: Any = True) -> Statistics:
    """Return, pairs x 2: the value and one; NaN for a pair that is not counted."""
    table = np.stack([np.asarray(values, np.float64), np.ones(len(values))], axis=1)
    return np.where(np.reshape(np.broadcast_to(counted, len(values)), (-1, 1)), table, np.nan)


def evaluate(args: argparse.Namespace, pairs: PairScores) -> dict[str, Any]:
    """Return the figures of each model, and the differences between each two models."""
    command = recompute_command(args)
    statistics = {
        (name, model): as_statistics(column(pairs, model))
        for model in pairs.models
        for name, column in columns_of(pairs, model).items()
    }
    resampled = resample(args, pairs, statistics)
    figures: dict[str, dict[str, Any]] = {model: {} for model in pairs.models}
    for name, model in statistics:
        figures[model][name] = resampled.figure(name, metric_of(name), model, command)
    for model in pairs.models:
        if model != pairs.reference:
            figures[model] |= evaluate_groups(args, pairs, model)
    return {"models": pairs.models, "pairs": figures, "comparisons": compare(pairs, resampled, command)}


def compare(pairs: PairScores, resampled: Resampled, command: str) -> dict[str, dict[str, Figure]]:
    """Return the difference of each figure that both models have."""
    return {
        f"{two}-{one}": {
            name: resampled.comparison(name, metric_of(name), one, two, command)
            for name in columns_of(pairs, one)
            if name in columns_of(pairs, two)
        }
        for one, two in combinations(pairs.models, 2)
    }


def evaluate_groups(args: argparse.Namespace, pairs: PairScores, model: str) -> dict[str, Any]:
    """Return a model's rewards by tag, and by the length of the longer answer."""
    found: dict[str, Any] = {}
    command = recompute_command(args)
    for kind, groups in (("by_tag", group_by_tag(pairs)), ("by_length", group_by_length(pairs))):
        statistics = {
            (name, group): as_statistics(REWARDS[name](pairs, model), members)
            for group, members in groups.items()
            for name in BY_GROUP
        }
        if not statistics:
            continue
        resampled = resample(args, pairs, statistics)
        found[kind] = {
            group: {name: resampled.figure(name, metric_of(name), group, command) for name in BY_GROUP}
            for group in groups
        }
    return found


def resample(args: argparse.Namespace, pairs: PairScores, statistics: dict[tuple[str, str], Statistics]) -> Resampled:
    """Return statistics of the pairs, resampled according to the settings."""
    settings = args.settings["evaluate"]
    return Resampled(statistics, pairs.prompts, settings["resamples"], settings["seed"])


def recompute_command(args: argparse.Namespace) -> str:
    """Return the command that computes the figures again."""
    words = ["--settings", json.dumps(args.settings), "--pairs", str(args.pairs), "--reference", args.reference]
    return shlex.join(["python", "-m", "scripts.evaluate_pairs", *args.scores, *words])


def list_pairs(pairs: PairScores) -> Iterator[dict[str, Any]]:
    """Yield the rows of pairs.jsonl."""
    models = [model for model in pairs.models if model != pairs.reference]
    margins = {model: pairs.margin(model) for model in models}
    for i, name in enumerate(pairs.ids):
        yield {
            "id": name,
            **({"tag": pairs.tags[i]} if pairs.tags[i] is not None else {}),
            "chosen_tokens": int(pairs.tokens[i, 0]),
            "rejected_tokens": int(pairs.tokens[i, 1]),
            "chosen": {model: float(pairs.chosen[model][i]) for model in pairs.models},
            "rejected": {model: float(pairs.rejected[model][i]) for model in pairs.models},
            "reward_margin": {model: round(float(margins[model][i]), 6) for model in models},
        }


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("scores", nargs="+", metavar=f"{METAVAR}[,FILE]", help="what score_pairs.py wrote")
    parser.add_argument("--pairs", type=Path, required=True, help="the held-out pairs, whose prompts are resampled")
    parser.add_argument("--reference", required=True, help="the model against which rewards are measured")
    parser.add_argument("--out", type=Path, help="folder for the figures, and the pairs with their rewards")
    args = parser.parse_args(argv)
    files = read_files(args.scores)
    if args.reference not in files:
        sys.exit(f"--reference: {args.reference} is not one of the models: {', '.join(files)}")
    pairs = read_pair_scores(files, args.pairs, args.reference, args.settings["dpo"]["beta"])
    write_figures(evaluate(args, pairs), args.out and args.out / METRICS)
    if args.out:
        write_json_lines(args.out / ROWS, list_pairs(pairs))


if __name__ == "__main__":
    main()
