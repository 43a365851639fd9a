"""Print the tokens of each pair as training sees it, by the run's own tokenizer and template.

    envs/with-training python -m tools.count_tokens results/tiny/dpo/train.jsonl results/tiny/dpo/val.jsonl \
        --model results/tiny/model --loss-scale last_round --prompt-date 2026-01-01 --effort medium

A line a file, a list for each of its pairs: [prompt, prompt with chosen, prompt with rejected]. The prompt is what
comes before the first token that is trained, in either.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines
from pipeline.models.render_chat import Encode, load_pair_encoder
from pipeline.models.system_message import EFFORTS
from pipeline.settings.stage import stage_parser


def count_pair(pair: dict[str, Any], encode: Encode) -> list[int]:
    """Return the tokens of a pair: prompt, prompt with chosen, prompt with rejected."""
    encoded = encode(pair)
    sides = ("chosen", "rejected")
    first = min(next(i for i, label in enumerate(encoded[f"{side}_labels"]) if label >= 0) for side in sides)
    return [first, *(len(encoded[f"{side}_input_ids"]) for side in sides)]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("files", type=Path, nargs="+", help="pairs that check_tokens let pass")
    parser.add_argument("--model", type=Path, required=True, help="folder with the tokenizer")
    parser.add_argument("--loss-scale", required=True)
    parser.add_argument("--prompt-date", required=True, help="YYYY-MM-DD")
    parser.add_argument("--effort", choices=EFFORTS, required=True, help="reasoning effort of rows that say none")
    args = parser.parse_args(argv)

    prompt = {"date": args.prompt_date, "reasoning_effort": args.effort}
    with contextlib.redirect_stdout(sys.stderr):  # ms-swift speaks when it is imported
        encode = load_pair_encoder(args.model, prompt, loss_scale=args.loss_scale)
        counts = [[count_pair(pair, encode) for pair in iterate_json_lines(file)] for file in args.files]
    for pairs in counts:
        print(json.dumps(pairs))


if __name__ == "__main__":
    main()
