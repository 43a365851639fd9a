"""Put the points of a sweep into one table, a row a point, and draw their held-out figures.

    envs/with-training python -m scripts.tabulate_sweep results/tiny-*/dpo/metrics.json \\
        --points '{"beta=0.05": {"dpo.beta": 0.05}, "beta=0.1": {"dpo.beta": 0.1}}' --table sweep.csv --plot sweep.svg

The points are named in the order of the files, each with its values of the settings that the sweep sets.
"""

import argparse
import json
import sys
from pathlib import Path

from pipeline.files.tables import write_table
from pipeline.report.sweep_table import describe_point


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", type=Path, nargs="+", help="metrics.json of each point")
    parser.add_argument(
        "--points", type=json.loads, required=True, help="JSON: values by setting, by name of the point"
    )
    parser.add_argument("--table", type=Path, required=True, help="CSV")
    parser.add_argument("--plot", type=Path, required=True, help="SVG")
    args = parser.parse_args(argv)
    if len(args.points) != len(args.metrics):
        sys.exit(f"--points: {len(args.points)} points for {len(args.metrics)} metrics.json; name one for each")
    metrics = [json.loads(path.read_text(encoding="utf-8")) for path in args.metrics]
    points = zip(args.points.items(), metrics, strict=True)
    rows = [describe_point(name, values, found) for (name, values), found in points]

    from pipeline.report.draw_sweep import draw_sweep  # matplotlib is in the training environment only

    draw_sweep(rows, list(args.points.values()), args.plot)
    write_table(args.table, rows)


if __name__ == "__main__":
    main()
