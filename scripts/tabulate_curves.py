"""Write the curves of a training as tables that DVC plots, and what it came to as metrics.

    python -m scripts.tabulate_curves results/tiny/dpo/curves.jsonl --training results/tiny/dpo/training.csv \\
        --held-out results/tiny/dpo/held_out.csv --metrics results/tiny/dpo/metrics.json

DVC reads CSV and JSON, but not JSON Lines.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from pipeline.files.tables import Row, write_table

HELD_OUT = "eval_"


def held_out_row(row: Row) -> Row:
    """Return the figures of the held-out pairs, without the prefix that says so."""
    return {name.removeprefix(HELD_OUT): value for name, value in row.items()}


def rename(row: Row) -> Row:
    """Return a row with names that DVC takes for names of columns: rewards/margins becomes reward_margins."""
    return {name.replace("rewards/", "reward_").replace("/", "_"): value for name, value in row.items()}


def split_curves(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of training and those of the held-out pairs."""
    training = [rename(row) for row in rows if "loss" in row]
    held_out = [rename(held_out_row(row)) for row in rows if f"{HELD_OUT}loss" in row]
    return training, held_out


def summarize(training: list[Row], held_out: list[Row]) -> dict[str, Any]:
    """Return the first and the last figures: of training, and of the held-out pairs before and after it."""
    summary: dict[str, Any] = {"steps": training[-1]["step"]} if training else {}
    if training:
        summary["loss"] = {"first": training[0]["loss"], "last": training[-1]["loss"]}
    if held_out:
        before, after = (figures(row) for row in (held_out[0], held_out[-1]))
        summary["held_out"] = {"after": after}
        if len(held_out) > 1 and held_out[0]["step"] == 0:
            summary["held_out"] = {"before": before, "after": after}
    return summary


def figures(row: Row) -> Row:
    """Return a row without what says when it was written."""
    return {name: value for name, value in row.items() if name not in ("step", "epoch")}


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curves", type=Path)
    for name, what in (("training", "CSV"), ("held-out", "CSV"), ("metrics", "JSON")):
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    args = parser.parse_args(argv)
    training, held_out = split_curves(read_json_lines(args.curves))
    write_table(args.training, training)
    write_table(args.held_out, held_out)
    args.metrics.write_text(json.dumps(summarize(training, held_out), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
