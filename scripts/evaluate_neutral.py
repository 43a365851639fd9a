"""Compare the loss of several models on a neutral text: what a training made the model forget.

    python -m scripts.evaluate_neutral base=results/tiny/evaluate/base/neutral.jsonl \
        dpo=results/tiny/evaluate/dpo/neutral.jsonl --settings "$(python -m tools.show_settings evaluate_neutral)"

Prints the figures, or writes neutral_metrics.json, neutral.jsonl and neutral/gates.json into --out. The loss is in nats
a token, over all tokens of all passages; passages are resampled. The gate is reported, and stops nothing, since the
report shows what the training did.
"""

import argparse
import json
import shlex
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.figures import Figure, Resampled, write_figures
from pipeline.evaluation.row_metrics import Statistics
from pipeline.evaluation.score_files import read_score_rows
from pipeline.files.json_lines import write_json_lines
from pipeline.gates import Gate, describe_gate, gate, write_gates
from pipeline.settings.model_words import METAVAR, read_single_files
from pipeline.settings.stage import stage_parser

Rows = list[dict[str, Any]]

# Inside --out.
METRICS = "neutral_metrics.json"
GATES = "neutral/gates.json"
ROWS = "neutral.jsonl"
LOSS = "neutral_loss"
WRITTEN = ("id", "tokens", "logp")  # by score_neutral.py, of each passage


class LossPerToken:
    """The loss in nats a token."""

    def score(self, sums: Statistics) -> float:
        """Return the loss of sums: of the negative log-probabilities, and of the tokens."""
        return float(sums[0] / sums[1])


def read_scores(files: dict[str, Path]) -> dict[str, Rows]:
    """Return the scores of each model; stop with one line unless all are of the same passages."""
    if len(files) == 1:
        sys.exit(
            f"{next(iter(files))}: one model has nothing to be compared with; name the scores of the base model, too"
        )
    found = {model: read_score_rows(path, WRITTEN) for model, path in files.items()}
    first = next(iter(found))
    if not found[first]:
        sys.exit(f"{files[first]}: no passages; delete it and run again")
    passages = [(row["id"], row["tokens"]) for row in found[first]]
    for model, rows in found.items():
        if [(row["id"], row["tokens"]) for row in rows] != passages:
            sys.exit(f"{files[model]}: not the passages of {files[first]}; delete it and run again")
    return found


def evaluate(args: argparse.Namespace, scores: dict[str, Rows]) -> dict[str, Any]:
    """Return the loss of each model, and the differences between each two models."""
    settings, models = args.settings["evaluate"], list(scores)
    words = [*args.scores, "--settings", json.dumps(args.settings)]
    command = shlex.join(["python", "-m", "scripts.evaluate_neutral", *words])
    tables = {
        (LOSS, model): np.array([[-row["logp"], row["tokens"]] for row in rows]) for model, rows in scores.items()
    }
    resampled = Resampled(tables, np.arange(len(scores[models[0]])), settings["resamples"], settings["seed"])
    loss = LossPerToken()
    return {
        "models": models,
        "neutral": {model: {LOSS: resampled.figure(LOSS, loss, model, command)} for model in models},
        "comparisons": {
            f"{two}-{one}": {LOSS: resampled.comparison(LOSS, loss, one, two, command)}
            for one, two in combinations(models, 2)
        },
    }


def judge_forgotten(rise: Figure, first: str, bound: float) -> Gate:
    """Return the gate that the loss on the neutral text did not rise by more than the bound over the first model's."""
    value, low, high = (rise[name] for name in ("value", "low", "high"))
    expected = f"at most {bound:g} nats a token above {first}"
    return gate("forgotten", value <= bound, f"{value:.4g} nats a token above, 95 % [{low:.4g}, {high:.4g}]", expected)


def list_rows(scores: dict[str, Rows]) -> Rows:
    """Return the passages with the loss under each model, in nats a token."""
    return [
        {"id": same[0]["id"], "tokens": same[0]["tokens"]}
        | {"loss": {model: round(-row["logp"] / row["tokens"], 6) for model, row in zip(scores, same, strict=True)}}
        for same in zip(*scores.values(), strict=True)
    ]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("scores", nargs="+", metavar=METAVAR, help="what score_neutral.py wrote")
    parser.add_argument("--out", type=Path, help="folder for the figures, the gate, and the passages with their losses")
    args = parser.parse_args(argv)
    scores = read_scores(read_single_files(args.scores))
    found = evaluate(args, scores)
    first, last = found["models"][0], found["models"][-1]
    judged = judge_forgotten(found["comparisons"][f"{last}-{first}"][LOSS], first, args.settings["gates"]["forgotten"])
    write_figures(found, args.out and args.out / METRICS)
    if args.out:
        write_gates(args.out / GATES, [judged])
        write_json_lines(args.out / ROWS, list_rows(scores))
    if not judged["passed"]:
        print(describe_gate(judged))


if __name__ == "__main__":
    main()
