"""Score held-out pairs: the log-probabilities of chosen and of rejected answers under a model.

    envs/with-training python -m scripts.score_pairs --model results/tiny/merged --pairs results/tiny/dpo/val.jsonl \
        --scores scores.jsonl --shard 0 --shards 1 --gpus 0 --prompt-date 2026-01-01 --batch-size 16 \
        --max-length 512 --truncation-strategy delete --loss-scale last_round --torch-dtype float32 \
        --attn-impl eager --experts-impl eager

Tokens, and which of them count, are those of the DPO training. With --adapter, the model is scored with the adapter on
it. A batch holds --batch-size pairs of like length; its size changes a score by rounding only. With 1, no score
depends on the other pairs, and on the CPU the bytes are the same for any number of shards. Scores have 4 decimals:
what is behind them is rounding in float32. A job that was killed goes on with the batches it had finished.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files.finished_rows import FinishedRows
from pipeline.files.json_files import run_digest
from pipeline.files.json_lines import read_json_lines
from pipeline.graph.code_of import code_of
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.run_swift import OFFLINE
from pipeline.models.model_gate import judge_files

if TYPE_CHECKING:
    from pipeline.models.answer_logps import Pair

DECIMALS = 4
# What a score depends on, beside the files.
SETTINGS = (
    *("shard", "shards", "gpus", "prompt_date", "batch_size", "max_length", "truncation_strategy", "loss_scale"),
    *("torch_dtype", "attn_impl", "experts_impl"),
)


def require_files(args: argparse.Namespace) -> list[Path]:
    """Return the files that the scores depend on; stop with one line if one is missing."""
    folders = {args.model: "config.json", **({args.adapter: "adapter_config.json"} if args.adapter else {})}
    for folder, name in folders.items():
        if not (folder / name).is_file():
            sys.exit(f"{folder}: {name} is missing, so there is no {name.partition('_')[0]} to score with")
    manifests = [args.model_manifest or beside(args.model)]
    if args.adapter:
        manifests.append(args.adapter_manifest or beside(args.adapter))
    for manifest in manifests:
        if not manifest.is_file():
            sys.exit(f"{manifest}: no such manifest; write it: python -m tools.write_manifest <the folder>")
    folders_named = [args.model, *([args.adapter] if args.adapter else [])]
    for folder, manifest in zip(folders_named, manifests, strict=True):
        row = judge_files("files", folder, manifest)
        if not row["passed"]:
            sys.exit(row["value"])
    if not args.pairs.is_file():
        sys.exit(f"{args.pairs}: no such file of pairs")
    return [args.pairs, *manifests]


def beside(folder: Path) -> Path:
    """Return where a folder's manifest stands."""
    return folder.with_name(f"{folder.name}.sha256")


def encode_pairs(args: argparse.Namespace, rows: list[dict[str, Any]]) -> "list[Pair]":
    """Return each pair as the training sees it; stop with one line if the training would not see one."""
    from pipeline.models.answer_logps import Conversation
    from pipeline.models.render_chat import load_pair_encoder

    strategy = "raise" if args.truncation_strategy == "delete" else args.truncation_strategy
    limits = {"max_length": args.max_length, "truncation_strategy": strategy}
    encode = load_pair_encoder(args.model, args.prompt_date, loss_scale=args.loss_scale, **limits)
    pairs = []
    for row in rows:
        try:
            found = encode(row)
        except ValueError as error:  # ms-swift's MaxLengthError is one
            sys.exit(f"{args.pairs}: pair {row['id']}: {error}; score the pairs that check_tokens let through")
        sides = [(found[f"{side}_input_ids"], found[f"{side}_labels"]) for side in ("chosen", "rejected")]
        chosen, rejected = (Conversation.from_labels(ids, labels) for ids, labels in sides)
        pairs.append((chosen, rejected))
    return pairs


def to_row(row: dict[str, Any], pair: "Pair", scores: tuple[float, float]) -> dict[str, Any]:
    """Return a row of the scores."""
    named = {key: row[key] for key in ("id", "tag") if key in row}
    chosen, rejected = (round(score, DECIMALS) for score in scores)
    tokens = {"chosen_tokens": len(pair[0].counted), "rejected_tokens": len(pair[1].counted)}
    return named | tokens | {"chosen_logp": chosen, "rejected_logp": rejected}


def score_rows(args: argparse.Namespace, rows: list[dict[str, Any]], finished: FinishedRows) -> None:
    """Score every batch of which a row is missing, and keep its rows. Rows have their number as key."""
    from pipeline.models.answer_logps import deal_batches, load_model, prepare_cpu, score_batches

    if not args.gpus:
        prepare_cpu()
    pairs = encode_pairs(args, rows)
    missing = [
        batch for batch in deal_batches(pairs, args.batch_size) if any(str(number) not in finished for number in batch)
    ]
    if not missing:
        return
    chosen = {"dtype": args.torch_dtype, "attn_implementation": args.attn_impl}
    if args.experts_impl:
        chosen["experts_implementation"] = args.experts_impl
    model = load_model(args.model, args.adapter, args.gpus, **chosen)
    for scored in score_batches(model, pairs, missing):
        finished.add({str(n): to_row(rows[n], pairs[n], scores) for n, scores in scored.items()})
        print(f"{len(finished)} of {len(rows)} pairs", flush=True)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of a model with its tokenizer")
    parser.add_argument("--model-manifest", type=Path, help="default: <model>.sha256 beside it")
    parser.add_argument("--adapter", type=Path, help="folder of an adapter to put on the model")
    parser.add_argument("--adapter-manifest", type=Path, help="default: <adapter>.sha256 beside it")
    parser.add_argument("--pairs", type=Path, required=True, help="held-out pairs that check_tokens let through")
    parser.add_argument("--scores", type=Path, required=True, help="where the scores go, a row a pair")
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--gpus", type=int, required=True, help="0 scores on the CPU")
    parser.add_argument("--prompt-date", required=True, help="YYYY-MM-DD")
    parser.add_argument("--batch-size", type=int, required=True, help="pairs, of two conversations each")
    parser.add_argument("--max-length", type=int, required=True, help="dpo.max_length")
    parser.add_argument("--truncation-strategy", choices=["delete", "left", "right"], default="delete")
    parser.add_argument("--loss-scale", required=True, help="dpo.loss_scale")
    parser.add_argument("--torch-dtype", required=True)
    parser.add_argument("--attn-impl", required=True)
    parser.add_argument("--experts-impl", help="default: as transformers chooses")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    files = require_files(args)
    rows = read_json_lines(args.pairs)[args.shard :: args.shards]
    if not rows:
        sys.exit(f"{args.pairs}: no pair left for shard {args.shard} of {args.shards}; deal them to fewer shards")
    finished = FinishedRows(
        args.scores, run_digest([json.dumps({n: getattr(args, n) for n in SETTINGS}), *code_of("score_pairs")], *files)
    )
    os.environ.update(OFFLINE)
    claim_gpus(args.gpus, "infer.gpus")
    score_rows(args, rows, finished)
    finished.publish(finished.rows[str(number)] for number in range(len(rows)))
    print(f"{len(rows)} pairs scored")


if __name__ == "__main__":
    main()
