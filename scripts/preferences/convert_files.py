"""Convert raw files into pairs.jsonl, rejects.jsonl and quality.json, all three or none."""

import dataclasses
import gc
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from preferences.chunk import Chunk
from preferences.convert_chunk import Converted, Options, convert_chunk
from preferences.ledger import Counts, Ledger
from preferences.problems import PROBLEMS
from preferences.read_files import RawFiles

OUTPUTS = ("rejects.jsonl", "quality.json", "pairs.jsonl")
SMALL_BYTES = 64 << 20  # of input, for which starting more processes does not pay


def convert_files(raw: RawFiles, out: Path, options: Options, stop: bool, cores: int) -> Counts:
    """Convert the files and return the account.

    pairs.jsonl is not written if no pair is left, if a file breaks off, or if `stop` is set and a row was rejected.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = out / ".partial"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        with closing(Ledger(work, raw.files)) as ledger:
            for chunk, result in convert_chunks(raw.read(), options, choose_cores(raw, cores)):
                ledger.add(chunk, result)
            counts = ledger.write(work / "pairs.jsonl", work / "rejects.jsonl")
        write_quality(work / "quality.json", counts)
        publish(work, out, with_pairs=counts.pairs > 0 and not must_stop(counts, stop))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return counts


def must_stop(counts: Counts, stop: bool) -> bool:
    """Say whether the rows that were rejected stand in the way."""
    return counts.codes["broken-file"] > 0 or (stop and counts.rows_at_fault > 0)


def publish(work: Path, out: Path, with_pairs: bool) -> None:
    """Put the new files in place of the old ones. At no moment do new ones stand beside old pairs."""
    (out / "pairs.jsonl").unlink(missing_ok=True)
    for name in OUTPUTS if with_pairs else OUTPUTS[:-1]:
        (work / name).replace(out / name)


def write_quality(path: Path, counts: Counts) -> None:
    """Write the account, codes in the order of docs/problems.md."""
    order = [code for code in PROBLEMS if counts.codes[code]]
    account: dict[str, Any] = dataclasses.asdict(counts) | {
        "codes": {code: counts.codes[code] for code in order},
        "examples": {code: counts.examples[code] for code in order},
    }
    path.write_text(json.dumps(account, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def choose_cores(raw: RawFiles, cores: int) -> int:
    """Return how many processes to use."""
    return 1 if sum(path.stat().st_size for path in raw.paths) < SMALL_BYTES else cores


def convert_chunks(chunks: Iterator[Chunk], options: Options, cores: int) -> Iterator[tuple[Chunk, Converted]]:
    """Yield what came of each chunk, in order, whatever the number of processes."""
    if cores == 1:
        # What a chunk leaves behind holds no cycles, and looking for them takes a third of the time.
        gc.disable()
        try:
            for chunk in chunks:
                yield chunk, convert_chunk(chunk, options)
        finally:
            gc.enable()
        return
    spawn = multiprocessing.get_context("spawn")  # polars does not survive a fork
    with ProcessPoolExecutor(cores, spawn, initializer=start_worker) as pool:
        waiting: deque[tuple[Chunk, Future[Converted]]] = deque()
        for chunk in chunks:
            waiting.append((dataclasses.replace(chunk, data=b""), pool.submit(convert_chunk, chunk, options)))
            if len(waiting) > 2 * cores:
                yield finished(waiting)
        while waiting:
            yield finished(waiting)


def finished(waiting: deque[tuple[Chunk, Future[Converted]]]) -> tuple[Chunk, Converted]:
    """Return the oldest chunk that was handed out, without its data, and what came of it."""
    chunk, future = waiting.popleft()
    return chunk, future.result()


def start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the parent's end, however it came."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
