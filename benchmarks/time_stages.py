"""Print where the time of a conversion on one core goes, in milliseconds for a megabyte of input.

    python -m benchmarks.time_stages pairs.jsonl …

The functions of each stage are wrapped from outside; what one calls of another stage counts there. That costs
some microseconds a chunk.
"""

import argparse
import functools
import inspect
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from benchmarks.conversion_options import OPTIONS
from pipeline.preferences import convert_chunk
from pipeline.preferences.columns import Columns
from pipeline.preferences.duplicates import RepeatFinder
from pipeline.preferences.ledger import Ledger
from pipeline.preferences.pair_store import PairStore
from pipeline.preferences.read_files import RawFiles
from scripts import convert_preferences

REST = "all else"
STAGES: dict[str, list[tuple[Any, str]]] = {
    "reading": [(RawFiles, "read")],
    "decoding": [(convert_chunk.RowReader, "__init__"), (convert_chunk.RowReader, "read")],
    "keys that stand twice": [(convert_chunk.RowReader, "drop_doubtful_rows")],
    "columns": [(Columns, "__init__")],
    "checks of roles": [(convert_chunk, "find_role_faults")],
    "checks of texts": [(convert_chunk, "find_text_faults")],
    "checks of pairs": [(convert_chunk, "find_pair_faults")],
    "keys": [(convert_chunk, "compute_keys")],
    "keys of near duplicates": [(convert_chunk, "sketch_prompts")],
    "longer answers": [(convert_chunk, "count_longer")],
    "encoding": [(convert_chunk, "name_pairs"), (convert_chunk, "encode_lines")],
    "writing chunks": [(Ledger, "add")],
    "finding repeats": [(RepeatFinder, "compare")],
    "finding near duplicates": [(RepeatFinder, "find_warned")],
    "leaving repeats out": [(PairStore, "leave_out")],
}


class Stopwatch:
    """Adds up the seconds of each stage; the innermost stage that is under way gets them."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.stack = [REST]
        self.last = time.perf_counter()

    def charge(self) -> None:
        """Give the time since the last call to the innermost stage."""
        now = time.perf_counter()
        self.seconds[self.stack[-1]] += now - self.last
        self.last = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Be in a stage."""
        self.charge()
        self.stack.append(name)
        try:
            yield
        finally:
            self.charge()
            self.stack.pop()

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as a stage; of a generator, each step is."""

        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            values = function(*args, **kwargs)
            while True:
                with self.stage(name):
                    try:
                        value = next(values)
                    except StopIteration:
                        return
                yield value

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return steps if inspect.isgeneratorfunction(function) else call


def time_conversion(path: Path) -> dict[str, float]:
    """Convert a file, and return the seconds of each stage."""
    functions = [(owner, name, getattr(owner, name)) for stage in STAGES.values() for owner, name in stage]
    stages = [stage for stage, wrapped in STAGES.items() for _ in wrapped]
    with tempfile.TemporaryDirectory() as out, redirect_stdout(StringIO()):
        watch = Stopwatch()
        for stage, (owner, name, function) in zip(stages, functions, strict=True):
            setattr(owner, name, watch.wrap(stage, function))
        try:
            convert_preferences.main([str(path), *OPTIONS, "--out", out, "--cores", "1"])
            watch.charge()
        finally:
            for owner, name, function in functions:
                setattr(owner, name, function)
    return watch.seconds


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rounds = [[time_conversion(path) for path in args.pairs] for _ in range(args.repeats)]

    print(f"{f'ms per MB, medians of {args.repeats}':<26}" + "".join(f"{path.stem:>10}" for path in args.pairs))
    total = [0.0] * len(args.pairs)
    for stage in (*STAGES, REST):
        times = [
            statistics.median(run[number][stage] for run in rounds) * 1e9 / path.stat().st_size
            for number, path in enumerate(args.pairs)
        ]
        total = [one + other for one, other in zip(total, times, strict=True)]
        print(f"{stage:<26}" + "".join(f"{value:10.2f}" for value in times))
    print(f"{'all':<26}" + "".join(f"{value:10.2f}" for value in total))


if __name__ == "__main__":
    main()
