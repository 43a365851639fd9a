"""Run the default with other seeds, and print what DPO changed: the table of docs/interface-strings.md.

    python -m benchmarks.measure_seeds
    python -m benchmarks.measure_seeds --seeds 17 18 19 20

A seed is that of the tiny model and of the training; the strings and the split are the same. A run is in
results/seed-<seed>, and is not computed again where it is up to date. About three minutes a seed.
"""

import tempfile
from pathlib import Path

import yaml

from benchmarks.run_or_stop import run_or_stop
from pipeline.files.json_files import read_json
from pipeline.files.tables import markdown_table
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
FIGURES = ("right_apart_from_habit", "habit", "exact", "chrf")


def run_seed(seed: int) -> Path:
    """Run the default with a seed; return the file of its figures."""
    overlay = {
        "run": f"seed-{seed}",
        "model": {"tiny": {"seed": seed}},
        "dpo": {"seed": seed, "data_seed": seed},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(overlay, file)
        file.flush()
        run_or_stop(ROOT, "snakemake", "--cores", "all", "--configfile", file.name)
    return ROOT / "results" / f"seed-{seed}" / "evaluate" / "metrics.json"


def show(figure: dict[str, float]) -> str:
    """Return a figure, with its interval if it has one: a share in percent, chrF as it is."""
    times = 1 if figure["value"] > 1 else 100
    value, *ends = (f"{figure[name] * times:.0f}" for name in ("value", "low", "high") if figure[name] is not None)
    return f"{value} [{', '.join(ends)}]" if ends else value


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--seeds", type=int, nargs="+", default=[17, 18, 19])
    args = parser.parse_args(argv)
    rows = []
    for seed in args.seeds:
        metrics = read_json(run_seed(seed))
        for model in ("base", "dpo"):
            figures = [show(metrics["answers"][model][name]) for name in FIGURES]
            accuracy = metrics["pairs"][model].get("reward_accuracy")
            rows.append([str(seed), model, *figures, f"{accuracy['value']:.3f}" if accuracy else "–"])
    print("\n".join(markdown_table(["seed", "model", *FIGURES, "reward accuracy"], rows)))


if __name__ == "__main__":
    main()
