"""A figure of the user's own: one Python function, named in the settings."""

import runpy
import sys
from pathlib import Path

from pipeline.evaluation.row_metrics import Ratio


def load_own_metric(place: str) -> Ratio:
    """Return the mean of `file.py:function`, a function of source, answer and chosen answer that returns a number."""
    file, _, function = place.partition(":")
    if not (function and Path(file).is_file()):
        sys.exit(f"evaluate.own: {place}: name a file and its function, as in metrics/polite.py:is_polite")
    try:
        found = runpy.run_path(file).get(function)
    except Exception as error:  # whatever the user's file raises
        sys.exit(f"{file}: {type(error).__name__}: {error}")
    if not callable(found):
        sys.exit(f"{file}: has no function {function}; evaluate.own names it")

    def count(source: str, answer: str, chosen: str) -> tuple[float, float]:
        try:
            return float(found(source, answer, chosen)), 1.0
        except Exception as error:
            sys.exit(f"{file}: {function}: {type(error).__name__}: {error}, for the answer {answer[:60]!r}")

    return Ratio(count, "mean")
