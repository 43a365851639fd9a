"""Hold out some of the pairs for validation, by prompt, so that no prompt is on both sides.

    python -m scripts.split_preferences results/tiny/data/pairs.jsonl \
        --settings "$(python -m tools.show_settings split_preferences)" \
        --quality results/tiny/data/quality.json --out results/tiny/data

Writes into the folder:
    train.jsonl     the training pairs
    val.jsonl       the held-out pairs
    gates.json      the gates that no row was lost; only with --quality

A prompt's side depends on the prompt and data.split_seed alone (a hash, not a shuffle): pairs that are added at the
end move no earlier pair. The share held out is therefore near data.val_fraction, not equal to it. With
data.split_by_tag the share of each tag is equal to it, except for rounding, and N new pairs of a tag move at most N
of its other pairs. data.val_max takes the first prompts by that hash alone: N new pairs then move at most N others.

Prompts that differ only in their system message, white space or case count as one: all go to the side of the first.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines, replace_files
from pipeline.gates import Gate, gate, require_gates, write_gates
from pipeline.preferences.fold_prompt import fold_prompt
from pipeline.settings.stage import stage_parser

Pair = dict[str, Any]
IsHeldOut = Callable[[Pair], bool]

SIDES = {"training": "train.jsonl", "validation": "val.jsonl"}


def hash_json(value: Any) -> int:
    """Return a number from 0 to 2**64 that depends only on a value."""
    digest = hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big")


class PromptGroups:
    """Numbers the groups of equal prompts. The number decides the side of all pairs of a group."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.numbers: dict[int, int] = {}

    def number(self, pair: Pair) -> int:
        """Return a number from 0 to 2**64: the hash of the first prompt of the group."""
        messages = pair["messages"]
        return self.numbers.setdefault(hash_json(fold_prompt(messages)), hash_json([self.seed, messages[:-1]]))


def split_by_prompt(pairs: Iterable[Pair], fraction: float, seed: int, most: int | None) -> IsHeldOut:
    """Return a function that says whether a pair is held out; call it for all pairs, in their order.

    Of the prompts in the fraction, as many are taken as have `most` pairs together, those with the smallest numbers.
    """
    groups, below = PromptGroups(seed), fraction * 2**64
    if most:
        numbers = sorted(number for number in map(groups.number, pairs) if number < below)
        below = min([below, *numbers[most : most + 1]])
    return lambda pair: groups.number(pair) < below


def split_by_tag(pairs: Iterable[Pair], fraction: float, seed: int) -> IsHeldOut:
    """Return a function like that of split_by_prompt, which holds out the same share of each tag's prompts.

    It holds out each tag's groups with the smallest numbers. A group has the tag of its first pair.
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


def choose_split(pairs: Path, data: dict[str, Any]) -> IsHeldOut:
    """Return the function that decides which pairs are held out."""
    fraction, seed = data["val_fraction"], data["split_seed"]
    if data["split_by_tag"]:
        return split_by_tag(iterate_json_lines(pairs), fraction, seed)
    return split_by_prompt(iterate_json_lines(pairs), fraction, seed, data["val_max"])


def require_both_sides(counts: list[int], pairs: Path, fraction: float) -> None:
    """Stop if a side of the split is empty."""
    for name, count in zip(SIDES, counts, strict=True):
        if not count:
            sys.exit(
                f"{pairs}: the {name} side of the split is empty; "
                f"add pairs, or change data.val_fraction ({fraction}) or data.split_seed"
            )


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="train.jsonl, val.jsonl and gates.json")
    parser.add_argument("pairs", type=Path, help="pairs.jsonl of convert_preferences")
    parser.add_argument("--quality", type=Path, help="quality.json of the conversion, whose counts must agree")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    data = args.settings["data"]
    is_held_out = choose_split(args.pairs, data)
    counts = [0, 0]
    outputs = [args.out / name for name in SIDES.values()]
    with args.pairs.open(encoding="utf-8", newline="\n") as lines, replace_files(*outputs) as sides:
        for line in lines:
            side = is_held_out(json.loads(line))
            sides[side].write(line)
            counts[side] += 1
        require_both_sides(counts, args.pairs, data["val_fraction"])
        if args.quality:
            gates = args.out / "gates.json"
            write_gates(gates, judge_counts(counts, json.loads(args.quality.read_text(encoding="utf-8"))))
            require_gates(gates)
    print(f"{counts[0]} pairs for training, {counts[1]} held out")


if __name__ == "__main__":
    main()
