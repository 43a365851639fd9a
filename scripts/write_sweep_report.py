"""Write a page that compares the points of a sweep: settings, held-out figures, figures of the evaluation, charts.

    python -m scripts.write_sweep_report --run tiny-sweep --page results/tiny-sweep/sweep.html \\
        --points '{"soft": {"dpo.beta": 0.05}, "sharp": {"dpo.beta": 0.5}}' --runs tiny-sweep-soft tiny-sweep-sharp \\
        --trainings results/tiny-sweep-*/dpo/metrics.json --evaluations results/tiny-sweep-*/evaluate/metrics.json

Runs and files are in the order of the points.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipeline.report.curves import Chart
from pipeline.report.facts import read_json
from pipeline.report.numbers_in_words import is_number
from pipeline.report.page import write_page
from pipeline.report.sweep_values import chart_points, describe_points


def require_as_many(points: int, files: dict[str, list[Any]]) -> None:
    """Stop with one line if a list is not as long as the points are many."""
    for name, given in files.items():
        if len(given) != points:
            sys.exit(f"--{name}: {len(given)} for {points} points; name one for each")


def drop_empty(charts: list[Chart]) -> list[Chart]:
    """Return the charts that have a number to show."""
    return [chart for chart in charts if any(is_number(point["value"]) for point in chart.points)]


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="the run that the points share")
    parser.add_argument("--page", type=Path, required=True, help="HTML")
    parser.add_argument("--points", type=json.loads, required=True, help="JSON: values by setting, by name")
    parser.add_argument("--runs", nargs="+", required=True, help="where each point's own report is")
    parser.add_argument("--trainings", type=Path, nargs="+", required=True, help="dpo/metrics.json of each point")
    parser.add_argument(
        "--evaluations", type=Path, nargs="+", required=True, help="evaluate/metrics.json of each point"
    )
    args = parser.parse_args(argv)
    files = {"runs": args.runs, "trainings": args.trainings, "evaluations": args.evaluations}
    require_as_many(len(args.points), files)

    trainings, evaluations = ([read_json(path) for path in paths] for paths in (args.trainings, args.evaluations))
    charts = drop_empty(chart_points(list(args.points), trainings, evaluations))
    values = describe_points(args.points, args.runs, trainings, evaluations)
    write_page(args.page, "sweep.html", charts, [], title_key="page.sweep", run=args.run, **values)
    print(f"{args.page}: {len(args.points)} points, {len(charts)} charts")


if __name__ == "__main__":
    main()
