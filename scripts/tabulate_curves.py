"""Write the curves of a training as tables that DVC plots, and its first and last figures as metrics.

    python -m scripts.tabulate_curves results/tiny/dpo/curves.jsonl --out results/tiny/dpo

Writes into the folder:
    training.csv    the figures of training
    held_out.csv    the figures of the held-out pairs
    metrics.json    the first and the last value of each figure

DVC reads CSV and JSON, but not JSON Lines.
"""

from pathlib import Path
from typing import Any

from pipeline.files.json_files import write_json
from pipeline.files.json_lines import read_json_lines
from pipeline.files.tables import Row, write_table
from pipeline.settings.stage import stage_parser

HELD_OUT = "eval_"


def held_out_row(row: Row) -> Row:
    """Return a row of the held-out pairs without the prefix `eval_`."""
    return {name.removeprefix(HELD_OUT): value for name, value in row.items()}


def rename(row: Row) -> Row:
    """Return a row with names that DVC can use as columns: rewards/margins becomes reward_margins."""
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
    """Return a row without its step and epoch."""
    return {name: value for name, value in row.items() if name not in ("step", "epoch")}


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False, out="training.csv, held_out.csv and metrics.json")
    parser.add_argument("curves", type=Path, help="curves.jsonl of a training")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    training, held_out = split_curves(read_json_lines(args.curves))
    write_table(args.out / "training.csv", training)
    write_table(args.out / "held_out.csv", held_out)
    write_json(args.out / "metrics.json", summarize(training, held_out))


if __name__ == "__main__":
    main()
