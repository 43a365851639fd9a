"""Hold out some of the pairs for validation, by prompt, so that no prompt is on both sides.

    python scripts/split_preferences.py pairs.jsonl --train train.jsonl --val val.jsonl \
        --val-fraction 0.2 --seed 17

A prompt's side depends on the prompt and the seed alone (a hash, not a shuffle): adding pairs moves none of
those that were there. The share held out is therefore near the fraction, not equal to it. With --by-tag the
share of each tag is equal to it but for rounding, and adding pairs of a tag moves at most as many of its others.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from json_lines import iterate_json_lines, replace_files

Pair = dict[str, Any]
IsHeldOut = Callable[[Pair], bool]


def prompt_group(pair: Pair, seed: int) -> int:
    """Return the number, 0 to 2**64, of the group of pairs that go to one side: those of one prompt.

    System messages, white space and case make no other prompt: what was asked for is the same.
    """
    turns = [[m["role"], "".join(m["content"].split()).casefold()] for m in pair["messages"][:-1]]
    key = json.dumps([seed, [turn for turn in turns if turn[0] != "system"]], ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def split_by_prompt(fraction: float, seed: int) -> IsHeldOut:
    """Return the function that says whether a pair is held out."""
    return lambda pair: prompt_group(pair, seed) < fraction * 2**64


def split_by_tag(pairs: Iterator[Pair], fraction: float, seed: int) -> IsHeldOut:
    """Return the same function, for which each tag's prompts are held out in the same share.

    Of the groups of each tag, those with the smallest numbers are held out. A group has the tag of its first pair.
    """
    tags: dict[int, str] = {}
    for pair in pairs:
        tags.setdefault(prompt_group(pair, seed), pair.get("tag", ""))
    groups: dict[str, list[int]] = {}
    for group, tag in tags.items():
        groups.setdefault(tag, []).append(group)
    held_out = {group for found in groups.values() for group in sorted(found)[: round(fraction * len(found))]}
    return lambda pair: prompt_group(pair, seed) in held_out


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="pairs.jsonl, as convert_preferences.py writes it")
    parser.add_argument("--train", type=Path, required=True, help="where the training pairs go")
    parser.add_argument("--val", type=Path, required=True, help="where the held-out pairs go")
    parser.add_argument("--val-fraction", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--by-tag", action="store_true", help="hold out the same share of each tag")
    args = parser.parse_args(argv)

    is_held_out = split_by_prompt(args.val_fraction, args.seed)
    if args.by_tag:
        is_held_out = split_by_tag(iterate_json_lines(args.pairs), args.val_fraction, args.seed)
    counts = [0, 0]
    with args.pairs.open(encoding="utf-8", newline="\n") as lines, replace_files(args.train, args.val) as sides:
        for line in lines:
            side = is_held_out(json.loads(line))
            sides[side].write(line)
            counts[side] += 1
        for name, count in zip(("training", "validation"), counts, strict=True):
            if not count:
                sys.exit(
                    f"{args.pairs}: the {name} side of the split is empty; "
                    f"add pairs, or change data.val_fraction ({args.val_fraction}) or data.split_seed"
                )
    print(f"{counts[0]} pairs for training, {counts[1]} held out")


if __name__ == "__main__":
    main()
