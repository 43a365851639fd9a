"""Write a page that compares the points of a sweep: settings, held-out figures, figures of the evaluation, and charts.

    python -m scripts.write_sweep_report --out results/tiny-sweep \\
        --settings "$(python -m tools.show_settings write_sweep_report experiments/tiny-sweep.yaml)"

The settings say which points there are; their runs' figures have fixed names (pipeline/settings/run_files.py).
"""

from pathlib import Path

from pipeline.files.json_files import read_json
from pipeline.report.curves import Chart
from pipeline.report.numbers_in_words import is_number
from pipeline.report.page import write_page
from pipeline.report.sweep_values import chart_points, point_values
from pipeline.settings.run_files import RunFiles, require_files
from pipeline.settings.stage import stage_parser
from pipeline.settings.sweep import list_points

PAGE = "sweep.html"


def drop_empty(charts: list[Chart]) -> list[Chart]:
    """Return the charts that have a number to show."""
    return [chart for chart in charts if any(is_number(point["value"]) for point in chart.points)]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=PAGE)
    parser.add_argument("--results", type=Path, default="results", help="folder of all runs")
    args = parser.parse_args(argv)
    points = list_points(args.settings)
    runs = [RunFiles(args.results / point.run, args.results / point.training) for point in points]
    require_files(path for files in runs for path in (files.training_metrics, files.metrics))

    trainings = [read_json(files.training_metrics) for files in runs]
    evaluations = [read_json(files.metrics) for files in runs]
    charts = drop_empty(chart_points([point.name for point in points], trainings, evaluations))
    values = point_values(points, trainings, evaluations)
    args.out.mkdir(parents=True, exist_ok=True)
    page = args.out / PAGE
    write_page(page, "sweep.html", charts, [], title_key="page.sweep", run=args.settings["run"], **values)
    print(f"{page}: {len(points)} points, {len(charts)} charts")


if __name__ == "__main__":
    main()
