"""Write the points of a sweep as one table, a row for each point, and draw their held-out figures.

    envs/with-training python -m scripts.tabulate_sweep --out results/tiny-sweep \\
        --settings "$(python -m tools.show_settings tabulate_sweep experiments/tiny-sweep.yaml)"

The settings say which points there are; their trainings' figures have fixed names (pipeline/settings/run_files.py).
"""

from pathlib import Path

from pipeline.files.json_files import read_json
from pipeline.files.tables import write_table
from pipeline.report.sweep_table import point_row
from pipeline.settings.run_files import RunFiles, require_files
from pipeline.settings.stage import stage_parser
from pipeline.settings.sweep import list_points

TABLE = "sweep.csv"
PLOT = "sweep.svg"


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=f"{TABLE} and {PLOT}")
    parser.add_argument("--results", type=Path, default="results", help="folder of all runs")
    args = parser.parse_args(argv)
    points = list_points(args.settings)
    metrics = [RunFiles(args.results / point.training).training_metrics for point in points]
    require_files(metrics)
    rows = [point_row(point.name, point.values, read_json(path)) for point, path in zip(points, metrics, strict=True)]

    from pipeline.report.draw_sweep import draw_sweep  # matplotlib is in the training environment only

    args.out.mkdir(parents=True, exist_ok=True)
    draw_sweep(rows, [point.values for point in points], args.out / PLOT)
    write_table(args.out / TABLE, rows)


if __name__ == "__main__":
    main()
