"""Check raw preference data, and write it one pair a line, in the form that ms-swift reads.

    python -m scripts.convert_preferences data/preferences.jsonl --out results/mine/data

Writes into the folder:
    pairs.jsonl     the pairs (schemas/pair.schema.json)
    rejects.jsonl   every row that is no pair, with its place, what is wrong, and what to do
    quality.json    the account: rows_in = rows_used + rows_rejected, and rows by code

Formats: docs/data.md. Codes: docs/problems.md. A rejected row ends the conversion with exit status 1 and
without pairs.jsonl, unless --on-problem drop says to go on without such rows.
"""

import argparse
import os
import sys
from itertools import islice
from pathlib import Path

# Both are read when polars is loaded. Processes do the work; and memory that is kept need not be asked for anew at
# each chunk, which would take a third of the time.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")

from tqdm import tqdm

from pipeline.files.json_lines import iterate_json_lines
from pipeline.preferences.convert_chunk import Options
from pipeline.preferences.convert_files import convert_files, must_stop
from pipeline.preferences.formats import FORMATS
from pipeline.preferences.ledger import Counts
from pipeline.preferences.open_raw import list_raw_files
from pipeline.preferences.problems import PROBLEMS
from pipeline.preferences.read_files import RawFiles
from pipeline.preferences.rejects import say_reject
from pipeline.preferences.translation import LANGUAGES

SHOWN = 5  # rejected rows printed before the rest is left to rejects.jsonl
LONG_BYTES = 32 << 20  # of input, for which a progress bar is worth having


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    assert __doc__
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("raw", help="a file, a folder, or a glob in quotes")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three files")
    parser.add_argument("--format", choices=["auto", *FORMATS, "mqm"], default="auto", help="default: by content")
    parser.add_argument("--on-problem", choices=["stop", "drop"], default="stop")
    parser.add_argument(
        "--languages", nargs=2, choices=LANGUAGES, metavar=("SOURCE", "TARGET"), help="of a translation set (zh en)"
    )
    parser.add_argument("--system", help="system message for pairs that have none")
    parser.add_argument("--min-margin", type=positive, default=1.0, help="least difference of scores (default: 1)")
    parser.add_argument("--max-unpacked-gb", type=positive, default=32.0, help="of a .gz or .zst file (default: 32)")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="does not change what is written")
    return parser.parse_args(argv)


def positive(text: str) -> float:
    """Return a number above 0."""
    if not 0 < (value := float(text)) < float("inf"):
        raise ValueError
    return value


def print_table(counts: Counts) -> None:
    """Print the account, and what was found by code."""
    print(f"{counts.rows_in:,} rows in, {counts.rows_used:,} used, {counts.rows_rejected:,} rejected", end="; ")
    print(f"{counts.pairs:,} pairs")
    found = [code for code in PROBLEMS if counts.codes[code]]
    if found:
        print(f"\n{'code':<22} {'severity':<8} {'rows':>9}  first")
    for code in found:
        print(f"{code:<22} {PROBLEMS[code].severity:<8} {counts.codes[code]:>9,}  {counts.examples[code][0]}")


def describe_rejects(path: Path) -> list[str]:
    """Return the first rejected rows in words, a line each."""
    return [say_reject(reject) for reject in islice(iterate_json_lines(path), SHOWN)]


def first_fault(path: Path, code: str | None) -> str:
    """Return the first row in words that has this code, or that is rejected for an error."""
    for reject in iterate_json_lines(path):
        if reject["code"] == code or (code is None and PROBLEMS[reject["code"]].severity == "error"):
            return say_reject(reject)
    return say_reject(next(iterate_json_lines(path)))


def end_message(args: argparse.Namespace, counts: Counts) -> str | None:
    """Return why there are no pairs, in one line; nothing if there are."""
    stop = args.on_problem == "stop"
    if not counts.rows_in:
        return f"{args.raw}: no rows; expected preference pairs in one of the formats of docs/data.md"
    if counts.pairs and not must_stop(counts, stop):
        return None
    rejects = args.out / "rejects.jsonl"
    others = f" ({counts.rows_rejected - 1:,} more in {rejects})" if counts.rows_rejected > 1 else ""
    if counts.codes["broken-file"]:
        return first_fault(rejects, "broken-file") + others
    hint = ", or go on without such rows: data.on_problem: drop" if counts.pairs else "; no pair is left"
    return first_fault(rejects, None) + others + hint


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    paths = list_raw_files(args.raw)
    if not paths:
        sys.exit(f"{args.raw}: no such file; name a file, a folder with data files in it, or a glob in quotes")
    size = sum(path.stat().st_size for path in paths)
    try:
        with tqdm(total=size, unit="B", unit_scale=True, disable=None if size > LONG_BYTES else True) as bar:
            raw = RawFiles(paths, args.format, args.min_margin, int(args.max_unpacked_gb * 1e9), bar.update)
            options = Options(args.min_margin, tuple(args.languages) if args.languages else None, args.system)
            counts = convert_files(raw, args.out, options, args.on_problem == "stop", args.cores)
    except OSError as error:
        sys.exit(f"{error.filename or args.out}: {error.strerror or error}; nothing was written")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was written")
    rejects = describe_rejects(args.out / "rejects.jsonl")
    print_table(counts)
    if rejects:
        print("", *rejects, sep="\n")
    if message := end_message(args, counts):
        sys.exit(message)


if __name__ == "__main__":
    main()
