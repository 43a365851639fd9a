"""Convert raw files into pairs.jsonl, places.jsonl, rejects.jsonl and quality.json, all or none."""

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.preferences.draw_pairs import Draw
from pipeline.preferences.ledger import Counts, Ledger
from pipeline.preferences.list_raw import ACCOUNT, PAIRS
from pipeline.preferences.options import Options
from pipeline.preferences.problems import PROBLEMS, UNREADABLE
from pipeline.preferences.read_files import RawFiles
from pipeline.preferences.workers import Workers

SMALL_BYTES = 16 << 20  # of input, for which starting more processes does not pay
MOST_CORES = 8  # that one process can feed with rows


def convert_files(
    raw: RawFiles, out: Path, options: Options, stop: bool, cores: int, draw: Draw | None = None
) -> Counts:
    """Convert the files and return the account.

    pairs.jsonl and places.jsonl are not written if no pair is left, if a file breaks off, or if `stop` is set and a row
    was rejected.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = out / ".partial"
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir()  # in here, since Ctrl-C may come as soon as it is there
        with (
            closing(Workers(work, choose_cores(raw, cores))) as workers,
            closing(Ledger(work, raw.files, draw, dict(options.columns))) as ledger,
        ):
            for chunk, result in workers.convert(raw.read(), options):
                ledger.add(chunk, result)
            counts = ledger.write(work, workers)
        write_quality(work / "quality.json", counts, raw.left)
        publish(work, out, with_pairs=counts.pairs > 0 and not must_stop(counts, stop))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return counts


def must_stop(counts: Counts, stop: bool) -> bool:
    """Say whether rejected rows, or pairs in other languages than are declared, stop the run."""
    unreadable = any(counts.codes[code] for code in UNREADABLE)
    return counts.in_other_languages or unreadable or (stop and counts.rows_at_fault > 0)


def publish(work: Path, out: Path, with_pairs: bool) -> None:
    """Put the new files in place of the old ones. At no moment do new ones stand beside old pairs."""
    for name in reversed(PAIRS):
        (out / name).unlink(missing_ok=True)
    for name in ACCOUNT + PAIRS if with_pairs else ACCOUNT:
        (work / name).replace(out / name)


def write_quality(path: Path, counts: Counts, left: Sequence[Mapping[str, str]]) -> None:
    """Write the account, codes in the order of docs/problems.md, with the files that were not read."""
    order = [code for code in PROBLEMS if counts.codes[code]]
    account: dict[str, Any] = dataclasses.asdict(counts) | {
        "codes": {code: counts.codes[code] for code in order},
        "examples": {code: counts.examples[code] for code in order},
        "thinking": {side: counts.thinking[side] for side in ("both", "chosen", "rejected", "neither")},
        "keys_left": dict(sorted(counts.keys_left.items())),
        "files_left": left,
    }
    for name in ("columns_left", "sources"):
        if not account[name]:
            del account[name]
    path.write_text(json.dumps(account, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def choose_cores(raw: RawFiles, cores: int) -> int:
    """Return the number of processes to use."""
    return 1 if sum(path.stat().st_size for path in raw.paths) < SMALL_BYTES else min(cores, MOST_CORES)
