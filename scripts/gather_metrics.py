"""Put the figures of a run's answers, pairs and neutral text, and those of other programs, into one file.

    python -m scripts.gather_metrics results/tiny/evaluate/{answer,pair,neutral}_metrics.json \
        --settings "$(python -m tools.show_settings gather_metrics)" \
        --out results/tiny/evaluate
"""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from pipeline.evaluation.external import read_external
from pipeline.evaluation.figures import write_figures
from pipeline.files.json_files import read_json
from pipeline.settings.stage import stage_parser

METRICS = "metrics.json"  # inside --out


def merge(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Return both objects in one, part by part; lists must be the same in both."""
    found = dict(one)
    for key, value in two.items():
        found[key] = merge(one[key], value) if isinstance(one.get(key), dict) else value
    return found


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="all figures, metrics.json")
    parser.add_argument("figures", type=Path, nargs="+", help="what the scripts evaluate_*.py wrote")
    args = parser.parse_args(argv)
    found = reduce(merge, map(read_json, args.figures))
    if external := args.settings["evaluate"]["external"]:
        files = {model: list(map(Path, external[model])) for model in found["models"] if model in external}
        found = merge(found, read_external(files))
    write_figures(found, args.out / METRICS)


if __name__ == "__main__":
    main()
