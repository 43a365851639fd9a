"""The statistics that figures are computed from, counted on several cores."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.side_by_side import SideBySide

Key = tuple[str, str]  # of a figure and a model
WORTH_A_PROCESS = 5000  # rows; with fewer, starting another process takes longer than counting


class Counter:
    """Counts rows for one figure and model after another. Forked processes share the rows, which may be many."""

    metrics: Mapping[str, Any]
    rows: SideBySide

    @classmethod
    def count(cls, key: Key) -> NDArray[np.float64]:
        """Return the statistics of a figure under a model, rows x columns."""
        name, model = key
        statistics: NDArray[np.float64] = cls.metrics[name].statistics(cls.rows, model)
        return statistics


def count_statistics(metrics: Mapping[str, Any], rows: SideBySide, cores: int) -> dict[Key, NDArray[np.float64]]:
    """Return the statistics of each figure under each model, rows x columns."""
    keys = [(name, model) for name in metrics for model in rows.models]
    Counter.metrics, Counter.rows = metrics, rows
    if cores == 1 or len(rows.ids) < WORTH_A_PROCESS:
        return {key: Counter.count(key) for key in keys}
    with ProcessPoolExecutor(cores, get_context("fork")) as pool:
        return dict(zip(keys, pool.map(Counter.count, keys), strict=True))
