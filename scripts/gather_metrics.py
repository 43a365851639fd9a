"""Put the figures of a run's answers and pairs into one file.

    python -m scripts.gather_metrics results/tiny/evaluate/{answer,pair}_metrics.json \\
        --metrics results/tiny/evaluate/metrics.json
"""

import argparse
import json
from pathlib import Path
from typing import Any


def merge(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """Return both, part by part; lists must be the same in both."""
    found = dict(one)
    for key, value in two.items():
        found[key] = merge(one[key], value) if isinstance(one.get(key), dict) else value
    return found


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("answers", type=Path, help="what evaluate_answers.py wrote")
    parser.add_argument("pairs", type=Path, help="what evaluate_pairs.py wrote")
    parser.add_argument("--metrics", type=Path, required=True)
    args = parser.parse_args(argv)
    answers, pairs = (json.loads(path.read_text(encoding="utf-8")) for path in (args.answers, args.pairs))
    args.metrics.write_text(json.dumps(merge(answers, pairs), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
