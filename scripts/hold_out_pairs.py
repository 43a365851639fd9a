"""Hold out the pairs of data.val, and train on the others: on none that asks what they ask.

    python -m scripts.hold_out_pairs results/tiny/data/pairs.jsonl results/tiny/data/held_out/pairs.jsonl \
        --settings "$(python -m tools.show_settings hold_out_pairs experiments/mine.yaml)" --out results/tiny/data

Writes into the folder:
    train.jsonl         the training pairs
    val.jsonl           the held-out pairs
    val_overlap.jsonl   each pair whose prompt is held out, with the held-out pair of that prompt
    gates.json          the gates that no row was lost; only with --quality

Prompts that differ only in their system message, white space or case count as one. A pair whose prompt is held out ends
it with exit status 1, unless data.val_overlap is "drop": it is then left out of the training.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines, replace_files
from pipeline.gates import Gate, gate, require_gates, write_gates
from pipeline.preferences.conversations import prompt_key
from pipeline.settings.stage import stage_parser

OVERLAP = "val_overlap.jsonl"
Overlap = list[dict[str, Any]]


def find_overlap(pairs: Path, held_out: Path) -> Overlap:
    """Return the line and the id of each pair whose prompt is held out, and the id of the held-out pair."""
    held_out_ids: dict[str, Any] = {}
    for pair in iterate_json_lines(held_out):
        held_out_ids.setdefault(prompt_key(pair["messages"]), pair["id"])
    return [
        {"line": line, "id": pair["id"], "held_out": held_out_ids[key]}
        for line, pair in enumerate(iterate_json_lines(pairs), 1)
        if (key := prompt_key(pair["messages"])) in held_out_ids
    ]


def write_sides(args: argparse.Namespace, overlap: Overlap) -> list[int]:
    """Write both sides, without the pairs that are named in `overlap`; return the number of pairs of each."""
    left_out = {row["line"] for row in overlap}
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


def describe_overlap(pairs: Path, overlap: Overlap, out: Path) -> str:
    """Return a line about the first pair whose prompt is held out."""
    first = overlap[0]
    others = f" ({len(overlap) - 1:,} more in {out / OVERLAP})" if len(overlap) > 1 else ""
    return (
        f"{pairs}:{first['line']}: the prompt of pair {first['id']} is that of the held-out pair {first['held_out']}"
        f"{others}; take it out of data.raw or data.val, or train without such pairs: data.val_overlap: drop"
    )


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=f"train.jsonl, val.jsonl, {OVERLAP} and gates.json")
    parser.add_argument("pairs", type=Path, help="pairs.jsonl of data.raw")
    parser.add_argument("held_out", type=Path, help="pairs.jsonl of data.val")
    parser.add_argument("--quality", type=Path, nargs=2, help="quality.json of both, whose counts must agree")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    overlap = find_overlap(args.pairs, args.held_out)
    with replace_files(args.out / OVERLAP) as (lines,):
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in overlap)
    if overlap and args.settings["data"]["val_overlap"] == "stop":
        sys.exit(describe_overlap(args.pairs, overlap, args.out))
    counts = write_sides(args, overlap)
    print(
        f"{counts[0]} pairs for training, {counts[1]} held out; {len(overlap)} left out, as their prompts are held out"
    )


if __name__ == "__main__":
    main()
