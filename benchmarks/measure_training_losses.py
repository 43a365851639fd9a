"""Compare the first losses and gradients with the levers and without, at gpt-oss-20b's true shape.

    python -m benchmarks.measure_training_losses results/tiny/model --pairs data/preferences.jsonl

It takes a GPU with 60 GB for each training that runs at a time. All train from the same random weights on the same
pairs in the same order, as in measure_training_speed.py, which times them; here nothing is timed, so several may share
a GPU. In float32 two ways of computing the same loss differ by little; in bfloat16 random weights make much of every
bit. Rows go into benchmarks/results/training_losses.json, docs/performance.md reads them.
"""

import json
import statistics
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.measure_training_speed import (
    build_folder,
    compare_gradients,
    describe_machine,
    folder_of,
    run_row,
    write_pairs,
)
from benchmarks.speed.rows import EXACT, NAMES, ROWS
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]


REFERENCE = "float32"
COMPARED = {REFERENCE: ROWS[REFERENCE]} | EXACT | {name: ROWS[name] for name in NAMES[1:]}
KEPT = ("name", "failed", "losses", "first_gradient", "peak_gib", "command")


def compare(row: dict[str, Any], rows: Iterable[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Return a row with how far its losses are from the reference's, in the mean and at the most, and its gradient."""
    reference = next((other["losses"] for other in rows if other["name"] == REFERENCE and "losses" in other), None)
    if not reference or "losses" not in row:
        return row
    apart = [abs(own - other) for own, other in zip(row["losses"], reference, strict=True)]
    cosine = compare_gradients(*(folder_of(name, folder) / "gradient" for name in (row["name"], REFERENCE)))
    return row | {"mean_apart": statistics.mean(apart), "most_apart": max(apart), "gradient_cosine": cosine}


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("tokenizer", type=Path, help="folder with the tokenizer of a gpt-oss")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs whose texts are drawn from")
    parser.add_argument("--rows", nargs="+", choices=COMPARED, metavar="ROW", help="only these: %(choices)s")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--at-a-time", type=int, default=1, help="trainings that share the GPU")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_losses.json")
    args = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(args.at_a_time) as threads:
        folder = Path(place)
        model = folder / "model"
        build_folder(args.tokenizer, model, "20b", packed=False)
        row = COMPARED[REFERENCE]
        pairs = write_pairs(args.pairs, model, args.tokenizer, args.steps * row.pairs, row.length)
        names = args.rows or COMPARED
        done = [threads.submit(run_row, name, COMPARED[name], model, pairs, folder, [0]) for name in names]
        for measured in (future.result() for future in as_completed(done)):
            rows.append({name: measured[name] for name in KEPT if name in measured} | describe_machine())
            print(json.dumps(rows[-1]), flush=True)
            rows.sort(key=lambda row: list(COMPARED).index(row["name"]))
            told = [compare(row, rows, folder) for row in rows]
            args.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
