"""Time one way to read a file of preference pairs, in its own process; print bytes and seconds as JSON.

    python -m benchmarks.time_case msgspec pairs.jsonl

Imports do not count; the file is read, and what is written is written, to disk.
"""

import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pipeline.settings.check import load_config
from pipeline.settings.reads import part_for
from pipeline.settings.stage import stage_parser
from scripts import convert_preferences  # before the clock runs, as it is when it is a process of its own

ROOT = Path(__file__).parents[1]
# Those of config.yaml, for pairs that are not translations.
DATA = part_for("convert_preferences", load_config([]))["data"] | {"languages": None}
OPTIONS = ["--settings", json.dumps({"data": DATA})]
SAMPLE_BYTES = 2_000_000  # enough where a megabyte takes a second

Timing = tuple[int, float]  # bytes and seconds


def time_decoding(decode: Callable[[bytes], Any], path: Path) -> Timing:
    """Decode every line, and keep nothing."""
    start = time.perf_counter()
    with path.open("rb") as lines:
        deque(map(decode, lines), maxlen=0)
    return path.stat().st_size, time.perf_counter() - start


def time_schema(path: Path) -> Timing:
    """Check the first lines against the schema, in the plain way."""
    from jsonschema import Draft202012Validator

    schema = json.loads((ROOT / "schemas" / "pair.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/swift"})
    size = 0
    start = time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            if not validator.is_valid(json.loads(line)):
                sys.exit(f"{path}: the schema refuses a row")
            size += len(line)
            if size > SAMPLE_BYTES:
                break
    return size, time.perf_counter() - start


def time_conversion(cores: int, path: Path) -> Timing:
    """Convert the file."""
    with tempfile.TemporaryDirectory() as out, redirect_stdout(sys.stderr):
        start = time.perf_counter()
        convert_preferences.main([str(path), *OPTIONS, "--out", out, "--cores", str(cores)])
        return path.stat().st_size, time.perf_counter() - start


CASES: dict[str, Callable[[Path], Timing]] = {
    "msgspec": partial(time_decoding, msgspec.json.Decoder().decode),
    "jsonschema": time_schema,
    "one-core": partial(time_conversion, 1),
    "two-cores": partial(time_conversion, 2),
}


def main() -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("pairs", type=Path)
    args = parser.parse_args()
    size, seconds = CASES[args.case](args.pairs)
    print(json.dumps({"bytes": size, "seconds": seconds}))


if __name__ == "__main__":
    main()
