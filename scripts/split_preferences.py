"""Hold out some of the pairs for validation, by prompt, so that no prompt is on both sides.

    python -m scripts.split_preferences pairs.jsonl --train train.jsonl --val val.jsonl \
        --val-fraction 0.2 --seed 17

A prompt's side depends on the prompt and the seed alone (a hash, not a shuffle): adding pairs at the end moves
none of those that were there. The share held out is therefore near the fraction, not equal to it. With --by-tag
the share of each tag is equal to it but for rounding, and adding pairs of a tag moves at most as many of its others.

Prompts that differ only in their system message, white space or case count as one: they go where the first of
them goes.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines, replace_files
from pipeline.gates import Gate, gate, require_gates, write_gates
from pipeline.preferences.fold_prompt import fold_prompt

Pair = dict[str, Any]
IsHeldOut = Callable[[Pair], bool]


def hash_json(value: Any) -> int:
    """Return a number from 0 to 2**64 that depends on a value alone."""
    digest = hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big")


class PromptGroups:
    """Gives each pair the number of its prompt's group, which decides its side."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.numbers: dict[int, int] = {}

    def number(self, pair: Pair) -> int:
        """Return a number from 0 to 2**64: the hash of the first prompt of the group."""
        messages = pair["messages"]
        return self.numbers.setdefault(hash_json(fold_prompt(messages)), hash_json([self.seed, messages[:-1]]))


def split_by_prompt(fraction: float, seed: int) -> IsHeldOut:
    """Return the function that says whether a pair is held out; it is asked for all pairs in order."""
    groups = PromptGroups(seed)
    return lambda pair: groups.number(pair) < fraction * 2**64


def split_by_tag(pairs: Iterable[Pair], fraction: float, seed: int) -> IsHeldOut:
    """Return the same function, for which each tag's prompts are held out in the same share.

    Of the groups of each tag, those with the smallest numbers are held out. A group has the tag of its first pair.
    """
    groups = PromptGroups(seed)
    tags: dict[int, str] = {}
    for pair in pairs:
        tags.setdefault(groups.number(pair), pair.get("tag", ""))
    of_tag: dict[str, list[int]] = {}
    for group, tag in tags.items():
        of_tag.setdefault(tag, []).append(group)
    held_out = {group for found in of_tag.values() for group in sorted(found)[: round(fraction * len(found))]}
    return lambda pair: groups.number(pair) in held_out


def judge_counts(counts: list[int], account: dict[str, Any]) -> list[Gate]:
    """Return the gates that no row was lost: neither by the conversion, nor by the split."""
    used, rejected = account["rows_used"], account["rows_rejected"]
    return [
        gate(
            "rows_in", used + rejected == account["rows_in"], f"{used} used + {rejected} rejected", account["rows_in"]
        ),
        gate("pairs_split", sum(counts) == account["pairs"], f"{counts[0]} + {counts[1]}", account["pairs"]),
    ]


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="pairs.jsonl, as convert_preferences.py writes it")
    parser.add_argument("--train", type=Path, required=True, help="where the training pairs go")
    parser.add_argument("--val", type=Path, required=True, help="where the held-out pairs go")
    parser.add_argument("--val-fraction", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--by-tag", action="store_true", help="hold out the same share of each tag")
    parser.add_argument("--quality", type=Path, help="account of the conversion, with which the counts must agree")
    parser.add_argument("--gates", type=Path, help="what the split proved of itself")
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
        if args.gates:
            write_gates(args.gates, judge_counts(counts, json.loads(args.quality.read_text(encoding="utf-8"))))
            require_gates(args.gates)
    print(f"{counts[0]} pairs for training, {counts[1]} held out")


if __name__ == "__main__":
    main()
