"""Put the figures of a run's answers and pairs into one file.

    python -m scripts.gather_metrics results/tiny/evaluate/{answer,pair}_metrics.json \
        --out results/tiny/evaluate
"""

import json
from pathlib import Path
from typing import Any

from pipeline.evaluation.figures import write_figures
from pipeline.settings.stage import stage_parser

METRICS = "metrics.json"  # inside --out


def merge(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """Return both objects in one, part by part; lists must be the same in both."""
    found = dict(one)
    for key, value in two.items():
        found[key] = merge(one[key], value) if isinstance(one.get(key), dict) else value
    return found


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False, out="all figures, metrics.json")
    parser.add_argument("answers", type=Path, help="what evaluate_answers.py wrote")
    parser.add_argument("pairs", type=Path, help="what evaluate_pairs.py wrote")
    args = parser.parse_args(argv)
    answers, pairs = (json.loads(path.read_text(encoding="utf-8")) for path in (args.answers, args.pairs))
    write_figures(merge(answers, pairs), args.out / METRICS)


if __name__ == "__main__":
    main()
