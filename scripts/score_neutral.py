"""Score the passages of a neutral text: their log-probabilities under a model.

    envs/with-training python -m scripts.score_neutral \
        --settings "$(python -m tools.show_settings score_neutral)" \
        --model results/tiny/merged --passages results/tiny/data/neutral.jsonl --scores scores.jsonl

The tokens of the text alone count, neither harmony's marks before it nor the end after it: a model that learned to
answer without an analysis would seem to know the text better.
"""

import argparse
import math
import os
import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.run_swift import OFFLINE
from pipeline.models.model_gate import require_model
from pipeline.settings.stage import stage_parser

if TYPE_CHECKING:
    from pipeline.models.answer_logps import Row

DECIMALS = 4


def encode_passages(args: argparse.Namespace, rows: list[dict[str, Any]]) -> "list[Row]":
    """Return each passage with the prompt of its training; the tokens of its text count."""
    from pipeline.models.answer_logps import Conversation
    from pipeline.models.render_chat import load_processor, load_renderer

    render = load_renderer(args.model, args.settings["prompt"])
    mark = load_processor(args.model).convert_tokens_to_ids("<|message|>")
    passages: list[Row] = []
    for row in rows:
        ids, _ = render(row)
        start = len(ids) - ids[::-1].index(mark)
        passages.append((Conversation(array("i", ids), array("i", range(start, len(ids) - 1))),))
    return passages


def score_passages(args: argparse.Namespace, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the scores."""
    from pipeline.models.answer_logps import list_batches, load_model, prepare_cpu, score_batches

    if not args.settings["infer"]["gpus"]:
        prepare_cpu()
    passages = encode_passages(args, rows)
    batches = list_batches(passages, args.settings["evaluate"]["batch_size"])
    model = load_model(args.model, args.adapter, args.settings)
    scores = {n: score for scored in score_batches(model, passages, batches) for n, (score,) in scored.items()}
    for n, row in enumerate(rows):
        if not math.isfinite(scores[n]):
            sys.exit(f"{args.adapter or args.model}: the log-probability of {row['id']} is {scores[n]}; train it again")
    return [
        {"id": row["id"], "tokens": len(passages[n][0].counted), "logp": round(scores[n], DECIMALS)}
        for n, row in enumerate(rows)
    ]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of a model with its tokenizer")
    parser.add_argument("--manifest", type=Path, help="the model's manifest; default: <model>.sha256 beside it")
    parser.add_argument("--adapter", type=Path, nargs="?", help="folder of an adapter, with its manifest beside it")
    parser.add_argument("--passages", type=Path, required=True, help="passages that check_neutral let through")
    parser.add_argument("--scores", type=Path, required=True, help="file for the scores, a row for each passage")
    args = parser.parse_args(argv)
    require_model(args.model, args.manifest, args.adapter)
    rows = read_json_lines(args.passages)
    os.environ.update(OFFLINE)
    claim_gpus(args.settings["infer"]["gpus"], "infer.gpus")
    write_json_lines(args.scores, score_passages(args, rows))
    print(f"{len(rows)} passages scored")


if __name__ == "__main__":
    main()
