"""Score held-out pairs: the log-probabilities of chosen and of rejected answers under a model.

    envs/with-training python -m scripts.score_pairs \
        --settings "$(python -m tools.show_settings score_pairs)" \
        --model results/tiny/merged --pairs results/tiny/dpo/val.jsonl --shard 0 --scores scores.jsonl

Tokens, and which tokens count, are the same as in the DPO training. With --adapter, the model is scored with the
adapter on it. A batch holds evaluate.batch_size pairs of similar length; its size changes a score only by rounding.
With 1, no score depends on the other pairs, and on the CPU the bytes are the same for any infer.shards. Scores have 4
decimals; more would show only the rounding of float32. After a kill, the job continues after the batches that are done.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.shards import read_shard
from pipeline.files.finished_rows import FinishedRows
from pipeline.files.json_files import run_digest
from pipeline.graph.code_of import code_of
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.run_swift import OFFLINE
from pipeline.models.model_gate import require_model
from pipeline.settings.stage import stage_parser

if TYPE_CHECKING:
    from pipeline.models.answer_logps import Row

DECIMALS = 4


def require_files(args: argparse.Namespace) -> list[Path]:
    """Return the files that the scores depend on; stop with one line if one is missing or differs from its manifest."""
    manifests = require_model(args.model, args.manifest, args.adapter)
    if not args.pairs.is_file():
        sys.exit(f"{args.pairs}: no such file of pairs")
    return [args.pairs, *manifests]


def encode_pairs(args: argparse.Namespace, rows: list[dict[str, Any]]) -> "list[Row]":
    """Return each pair as the training sees it; stop with one line if the training would leave out a pair."""
    from pipeline.models.answer_logps import Conversation
    from pipeline.models.render_chat import load_pair_encoder

    dpo = args.settings["dpo"]
    strategy = "raise" if dpo["truncation_strategy"] == "delete" else dpo["truncation_strategy"]
    limits = {"max_length": dpo["max_length"], "truncation_strategy": strategy}
    encode = load_pair_encoder(args.model, args.settings["prompt"], loss_scale=dpo["loss_scale"], **limits)
    pairs: list[Row] = []
    for row in rows:
        try:
            found = encode(row)
        except ValueError as error:  # includes ms-swift's MaxLengthError
            sys.exit(f"{args.pairs}: pair {row['id']}: {error}; score the pairs that check_tokens let through")
        sides = [(found[f"{side}_input_ids"], found[f"{side}_labels"]) for side in ("chosen", "rejected")]
        chosen, rejected = (Conversation.from_labels(ids, labels) for ids, labels in sides)
        pairs.append((chosen, rejected))
    return pairs


def to_row(row: dict[str, Any], pair: "Row", scores: tuple[float, ...]) -> dict[str, Any]:
    """Return a row of the scores."""
    named = {key: row[key] for key in ("id", "tag") if key in row}
    chosen, rejected = (round(score, DECIMALS) for score in scores)
    tokens = {"chosen_tokens": len(pair[0].counted), "rejected_tokens": len(pair[1].counted)}
    return named | tokens | {"chosen_logp": chosen, "rejected_logp": rejected}


def score_rows(args: argparse.Namespace, rows: list[dict[str, Any]], finished: FinishedRows) -> None:
    """Score every batch that lacks a row, and keep its rows by their numbers."""
    from pipeline.models.answer_logps import list_batches, load_model, prepare_cpu, score_batches

    if not args.settings["infer"]["gpus"]:
        prepare_cpu()
    pairs = encode_pairs(args, rows)
    batches = list_batches(pairs, args.settings["evaluate"]["batch_size"])
    missing = [batch for batch in batches if any(str(number) not in finished for number in batch)]
    if not missing:
        return
    model = load_model(args.model, args.adapter, args.settings)
    for scored in score_batches(model, pairs, missing):
        finished.add({str(n): to_row(rows[n], pairs[n], scores) for n, scores in scored.items()})
        print(f"{len(finished)} of {len(rows)} pairs", flush=True)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of a model with its tokenizer")
    parser.add_argument("--manifest", type=Path, help="the model's manifest; default: <model>.sha256 beside it")
    parser.add_argument("--adapter", type=Path, nargs="?", help="folder of an adapter, with its manifest beside it")
    parser.add_argument("--pairs", type=Path, required=True, help="held-out pairs that check_tokens let through")
    parser.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    parser.add_argument("--scores", type=Path, required=True, help="file for the scores, a row for each pair")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    files, infer = require_files(args), args.settings["infer"]
    rows = read_shard(args.pairs, args.shard, infer["shards"])
    settings = json.dumps(args.settings, sort_keys=True)
    digest = run_digest([settings, str(args.shard), *code_of("score_pairs")], *files)
    finished = FinishedRows(args.scores, digest)
    os.environ.update(OFFLINE)
    claim_gpus(infer["gpus"], "infer.gpus")
    score_rows(args, rows, finished)
    finished.publish(finished.rows[str(number)] for number in range(len(rows)))
    print(f"{len(rows)} pairs scored")


if __name__ == "__main__":
    main()
