"""Hold out some of the pairs for validation, by prompt, so that no prompt is on both sides.

    python scripts/split_preferences.py pairs.jsonl --train train.jsonl --val val.jsonl \
        --val-fraction 0.2 --seed 17

A prompt's side depends on the prompt and the seed alone (a hash, not a shuffle): adding pairs
moves none of those that were there. The share held out is therefore near the fraction, not equal to it.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from json_lines import read_json_lines, write_json_lines

Pair = dict[str, Any]


def is_held_out(prompt: list[dict[str, str]], fraction: float, seed: int) -> bool:
    """Say whether the pairs of a prompt (all turns before the answer) belong to the validation side."""
    key = json.dumps([seed, prompt], ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def split(pairs: list[Pair], fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs for training and those for validation, each in their old order."""
    train: list[Pair] = []
    val: list[Pair] = []
    for pair in pairs:
        (val if is_held_out(pair["messages"][:-1], fraction, seed) else train).append(pair)
    return train, val


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="pairs.jsonl, as convert_preferences.py writes it")
    parser.add_argument("--train", type=Path, required=True, help="where the training pairs go")
    parser.add_argument("--val", type=Path, required=True, help="where the held-out pairs go")
    parser.add_argument("--val-fraction", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args(argv)

    train, val = split(read_json_lines(args.pairs), args.val_fraction, args.seed)
    for side, held in (("training", train), ("validation", val)):
        if not held:
            sys.exit(
                f"{args.pairs}: the {side} side of the split is empty; "
                f"add pairs, or change data.val_fraction ({args.val_fraction}) or data.split_seed"
            )
    write_json_lines(args.train, train)
    write_json_lines(args.val, val)
    print(f"{len(train)} pairs for training, {len(val)} held out")


if __name__ == "__main__":
    main()
