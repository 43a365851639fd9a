"""Hold out the pairs of data.val, and train on the others: on none that asks what they ask.

    python -m scripts.hold_out_pairs results/tiny/data/pairs.jsonl results/tiny/data/held_out/pairs.jsonl \
        --settings "$(python -m tools.show_settings hold_out_pairs experiments/mine.yaml)" --out results/tiny/data

Writes into the folder:
    train.jsonl         the training pairs
    val.jsonl           the held-out pairs
    val_overlap.jsonl   each pair whose prompt is held out, with the held-out pair of that prompt, and where both stand
    gates.json          the gates that no row was lost; only with --quality

Prompts that differ only in their system message, white space or case count as one. A pair whose prompt is held out ends
it with exit status 1, unless data.val_overlap is "drop": it is then left out of the training.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines, replace_files
from pipeline.gates import Gate, gate, require_gates, write_gates
from pipeline.preferences.chunk import Place
from pipeline.preferences.conversations import prompt_key
from pipeline.preferences.places import iterate_places
from pipeline.settings.stage import stage_parser

OVERLAP = "val_overlap.jsonl"
Overlap = list[dict[str, Any]]


def read_pairs(pairs: Path, places: Path | None) -> Iterator[tuple[dict[str, Any], Place]]:
    """Yield pairs, each with its place in the raw files; in `pairs` itself if that is not known."""
    rows = iterate_json_lines(pairs)
    if places:
        yield from zip(rows, (place for _, place in iterate_places(pairs, places)), strict=True)
    else:
        yield from ((pair, Place(str(pairs), line, None)) for line, pair in enumerate(rows, 1))


def find_overlap(args: argparse.Namespace) -> Overlap:
    """Return each pair whose prompt is held out: its line in pairs.jsonl, its place, and the held-out pair."""
    of_pairs, of_held_out = args.places or [None, None]
    held_out: dict[str, dict[str, Any]] = {}
    for pair, place in read_pairs(args.held_out, of_held_out):
        held_out.setdefault(prompt_key(pair["messages"]), {"held_out": pair["id"], "held_out_at": str(place)})
    return [
        {"pair": number, "id": pair["id"], "at": str(place)} | held_out[key]
        for number, (pair, place) in enumerate(read_pairs(args.pairs, of_pairs), 1)
        if (key := prompt_key(pair["messages"])) in held_out
    ]


def write_sides(args: argparse.Namespace, overlap: Overlap) -> list[int]:
    """Write both sides, without the pairs that are named in `overlap`; return the number of pairs of each."""
    left_out = {row["pair"] for row in overlap}
    counts = [0, 0]
    with replace_files(args.out / "train.jsonl", args.out / "val.jsonl") as sides:
        for side, file in enumerate((args.pairs, args.held_out)):
            with file.open(encoding="utf-8", newline="\n") as lines:
                for number, line in enumerate(lines, 1):
                    if side or number not in left_out:
                        sides[side].write(line)
                        counts[side] += 1
        if not counts[0]:
            sys.exit(f"{args.pairs}: no pair is left for training, as data.val holds all its prompts; add other pairs")
        if args.quality:
            accounts = [json.loads(path.read_text(encoding="utf-8")) for path in args.quality]
            write_gates(args.out / "gates.json", judge_counts(counts, len(overlap), accounts))
            require_gates(args.out / "gates.json")
    return counts


def judge_counts(counts: list[int], dropped: int, accounts: list[dict[str, Any]]) -> list[Gate]:
    """Return the gates that no row was lost: neither by the two conversions, nor here."""
    gates = []
    for name, account in zip(("", "val_"), accounts, strict=True):
        used, rejected = account["rows_used"], account["rows_rejected"]
        said = f"{used} used + {rejected} rejected"
        gates.append(gate(f"{name}rows_in", used + rejected == account["rows_in"], said, account["rows_in"]))
    kept = gate(
        "pairs_split", counts[0] + dropped == accounts[0]["pairs"], f"{counts[0]} + {dropped}", accounts[0]["pairs"]
    )
    return [*gates, kept, gate("val_pairs", counts[1] == accounts[1]["pairs"], counts[1], accounts[1]["pairs"])]


def describe_overlap(overlap: Overlap, out: Path) -> str:
    """Return a line about the first pair whose prompt is held out."""
    first = overlap[0]
    others = f" ({len(overlap) - 1:,} more in {out / OVERLAP})" if len(overlap) > 1 else ""
    return (
        f"{first['at']}: its prompt is that of the held-out pair {first['held_out_at']}{others}; "
        "take it out of data.raw or data.val, or train without such pairs: data.val_overlap: drop"
    )


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=f"train.jsonl, val.jsonl, {OVERLAP} and gates.json")
    parser.add_argument("pairs", type=Path, help="pairs.jsonl of data.raw")
    parser.add_argument("held_out", type=Path, help="pairs.jsonl of data.val")
    parser.add_argument("--places", type=Path, nargs=2, help="places.jsonl of both, by which a pair's file is named")
    parser.add_argument("--quality", type=Path, nargs=2, help="quality.json of both, whose counts must agree")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    overlap = find_overlap(args)
    with replace_files(args.out / OVERLAP) as (lines,):
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in overlap)
    if overlap and args.settings["data"]["val_overlap"] == "stop":
        sys.exit(describe_overlap(overlap, args.out))
    counts = write_sides(args, overlap)
    print(
        f"{counts[0]} pairs for training, {counts[1]} held out; {len(overlap)} left out, as their prompts are held out"
    )


if __name__ == "__main__":
    main()
