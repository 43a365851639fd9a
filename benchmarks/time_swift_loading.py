"""Time how ms-swift loads preference pairs as training would, and print bytes, seconds and rows as JSON.

    envs/with-training python -m benchmarks.time_swift_loading pairs.jsonl

That is datasets.load_dataset and ms-swift's preprocessing, in one process and from no cache. Imports do not count;
a small file is loaded before the clock runs, for what is imported late. Arrow reads JSON with all cores.
"""

import json
import os
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

from pipeline.launch.run_swift import OFFLINE
from pipeline.settings.stage import stage_parser

SMALL = Path(__file__).parents[1] / "data" / "preferences.jsonl"


def time_loading(path: Path) -> tuple[float, int]:
    """Return the seconds, and the number of rows."""
    from swift.dataset import load_dataset

    start = time.perf_counter()
    rows, _ = load_dataset(str(path), num_proc=1, load_from_cache_file=False, strict=False)
    return time.perf_counter() - start, len(rows)


def main() -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("pairs", type=Path)
    path = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as cache, redirect_stdout(sys.stderr):
        os.environ.update(OFFLINE, HF_DATASETS_CACHE=cache, MODELSCOPE_CACHE=cache)  # read when they are imported
        time_loading(SMALL)
        seconds, rows = time_loading(path)
    print(json.dumps({"bytes": path.stat().st_size, "seconds": seconds, "rows": rows}))


if __name__ == "__main__":
    main()
