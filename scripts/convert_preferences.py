"""Check raw preference data, and write one pair a line, in the form that ms-swift reads.

    python -m scripts.convert_preferences data/preferences.jsonl \
        --settings "$(python -m tools.show_settings convert_preferences)" --out results/mine/data

By hand, `python -m tools.check_pairs` does the same with less to type. Writes into the folder:
    pairs.jsonl     the pairs (schemas/pair.schema.json)
    places.jsonl    where they stand in the raw files: from each `pair` on, every next pair is one line or row further
    rejects.jsonl   every row that is not a pair, with its place, its fault, and what to do
    quality.json    counts: rows_in = rows_used + rows_rejected, and rows by code

Formats: docs/data.md. Codes: docs/problems.md. A rejected row ends the conversion with exit status 1 and
without pairs.jsonl and places.jsonl, unless data.on_problem is "drop". With either, so does a file that breaks off, and
a set in which more than half of the pairs are in other languages than data.languages says.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

# polars reads both when it is loaded. It needs no threads of its own, since processes share the work; and it keeps
# the memory of a chunk for the next one: asking the system for it again took a third of the time.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")

from tqdm import tqdm

from pipeline.files.json_lines import iterate_json_lines
from pipeline.preferences.checks import explain_text
from pipeline.preferences.columns import SYSTEM
from pipeline.preferences.convert_files import convert_files, must_stop
from pipeline.preferences.draw_pairs import Draw
from pipeline.preferences.ledger import Counts
from pipeline.preferences.options import Options, options_of_keys
from pipeline.preferences.problems import PROBLEMS, UNREADABLE
from pipeline.preferences.read_files import RawFiles
from pipeline.preferences.rejects import say_dropped, say_reject
from pipeline.preferences.sources import Source, limit_sources
from pipeline.settings.stage import stage_parser

REJECTS = "rejects.jsonl"
SHOWN = 5  # rejected rows to print; all are in rejects.jsonl
LONG_BYTES = 32 << 20  # of input, from which a progress bar is shown


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__, out="pairs.jsonl, places.jsonl, rejects.jsonl and quality.json")
    parser.add_argument("raw", nargs="+", help="a file, a folder, or a glob in quotes; limits are those of data.raw")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="does not change what is written")
    return parser.parse_args(argv)


def read_options(data: dict[str, Any]) -> Options:
    """Return the settings of the checks; stop with one line if the system message of data.system has a fault."""
    languages = data["languages"]
    if data["system"] and (said := explain_text(data["system"], SYSTEM)):
        sys.exit(f"data.system: {said}")
    return replace(
        options_of_keys(data),
        min_margin=data["min_margin"],
        languages=languages and (languages["source"], languages["target"]),
        system=data["system"],
    )


def say_thinking(analyses: str | None) -> str:
    """Return the line that says that no chosen answer thinks; `analyses` is data.analyses."""
    if analyses:
        return f"no chosen answer thinks yet: data.analyses: {analyses} will add the base model's analyses"
    return (
        "no chosen answer thinks: gpt-oss, tuned on final answers alone, thinks less; data.analyses: base would add "
        "the base model's analyses (docs/data.md, Thinking)"
    )


def print_table(counts: Counts, analyses: str | None) -> None:
    """Print the counts of rows, and of problems by code."""
    print(f"{counts.rows_in:,} rows in, {counts.rows_used:,} used, {counts.rows_rejected:,} rejected", end="; ")
    print(f"{counts.pairs:,} pairs")
    if counts.pairs and not (counts.thinking["both"] or counts.thinking["chosen"]):
        print(say_thinking(analyses))
    for source in counts.sources:
        limit = f", the limit is {source['limit']:,}" if source["limit"] else ""
        print(f"{source['source']}: {source['rows_in']:,} rows in, {source['pairs']:,} pairs{limit}")
    for path in counts.columns_left:
        print(f"data.columns: {path}: no row that was read has it; correct its name, or take it out")
    found = [code for code in PROBLEMS if counts.codes[code]]
    if found:
        print(f"\n{'code':<22} {'severity':<8} {'rows':>9}  first")
    for code in found:
        print(f"{code:<22} {PROBLEMS[code].severity:<8} {counts.codes[code]:>9,}  {counts.examples[code][0]}")


def describe_rejects(path: Path) -> list[str]:
    """Return the first rejected rows, a line for each."""
    return [say_reject(reject) for reject in islice(iterate_json_lines(path), SHOWN)]


def first_fault(path: Path, code: str | None) -> str:
    """Return a line about the first row with this code, or, without a code, about the first row with an error."""
    for reject in iterate_json_lines(path):
        if reject["code"] == code or (code is None and PROBLEMS[reject["code"]].severity == "error"):
            return say_reject(reject)
    return say_reject(next(iterate_json_lines(path)))


def end_message(args: argparse.Namespace, counts: Counts) -> str | None:
    """Return in one line why there are no pairs; None if there are pairs."""
    stop = args.settings["data"]["on_problem"] == "stop"
    if not counts.rows_in:
        return f"{', '.join(args.raw)}: no rows; expected preference pairs in one of the formats of docs/data.md"
    if counts.pairs and not must_stop(counts, stop):
        return None
    if counts.in_other_languages:
        return other_languages(args.settings["data"]["languages"], counts)
    rejects = args.out / REJECTS
    others = f" ({counts.rows_rejected - 1:,} more in {rejects})" if counts.rows_rejected > 1 else ""
    if unreadable := next((code for code in UNREADABLE if counts.codes[code]), None):
        return first_fault(rejects, unreadable) + others
    hint = ", or go on without such rows: data.on_problem: drop" if counts.pairs else "; no pair is left"
    return first_fault(rejects, None) + others + hint


def other_languages(declared: dict[str, str], counts: Counts) -> str:
    """Return a line about pairs that are not in the languages that are declared."""
    share = f"{counts.codes['wrong-language']:,} of {counts.pairs_read:,} pairs"
    return (
        f"{counts.examples['wrong-language'][0]}: {share} are in other languages than data.languages says, "
        f"{declared['source']} to {declared['target']}; set data.languages to theirs, or to null (wrong-language)"
    )


def print_left(left: Sequence[Mapping[str, str]]) -> None:
    """Name the files beside the data that are not read; all of them are in quality.json."""
    for file in left[:SHOWN]:
        print(f"not read: {file['file']}: {file['why']}")
    if len(left) > SHOWN:
        print(f"not read: {len(left) - SHOWN:,} more files; quality.json names them in files_left")


def convert(args: argparse.Namespace, sources: list[Source]) -> Counts:
    """Convert the files, with a progress bar for large ones, and return the counts."""
    data = args.settings["data"]
    paths = [path for source in sources for path in source.files]
    draw = Draw(sources, data["split_seed"]) if len(sources) > 1 or sources[0].limit else None
    size = sum(path.stat().st_size for path in paths)
    most_bytes = int(data["max_unpacked_gb"] * 1e9)
    with tqdm(total=size, unit="B", unit_scale=True, disable=None if size > LONG_BYTES else True) as bar:
        options = read_options(data)
        raw = RawFiles(paths, data["format"], options, most_bytes, bar.update, left_of(sources))
        return convert_files(raw, args.out, options, data["on_problem"] == "stop", args.cores, draw)


def left_of(sources: Sequence[Source]) -> list[Mapping[str, str]]:
    """Return the files beside the data of all sources."""
    return [file for source in sources for file in source.left]


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    sources = limit_sources(args.raw, args.settings["data"].get("raw", []), args.out)
    print_left(left_of(sources))
    for source in sources:
        if not source.files:
            sys.exit(f"{source.name}: no such file; name a file, a folder with data files in it, or a glob in quotes")
    try:
        counts = convert(args, sources)
    except OSError as error:
        sys.exit(f"{error.filename or args.out}: {error.strerror or error}; nothing was written")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was written")
    rejects = describe_rejects(args.out / REJECTS)
    print_table(counts, args.settings["data"]["analyses"])
    if rejects:
        print("", *rejects, sep="\n")
    if message := end_message(args, counts):
        sys.exit(message)
    if counts.rows_rejected:
        print(f"\n{say_dropped(counts.rows_rejected, counts.rows_in, counts.codes)}; named in {args.out / REJECTS}")


if __name__ == "__main__":
    main()
