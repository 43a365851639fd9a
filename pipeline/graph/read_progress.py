"""Read the progress of a running stage from its log, or from the logging.jsonl that ms-swift writes in a training."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 1 << 14
# tqdm's bars, as `Train:  45%|####   | 5/11 [00:08<00:10, 1.7s/it]`; and what build_tiny_model prints.
BAR = re.compile(r"(?:^|[\r\n])(?:(\w+)[^:\r\n|]*:)? *\d+%\|[^|]*\| (\d+)/(\d+) \[[\d:]+<([\d:]+)?")
STEP = re.compile(r"(?:^|[\r\n])(step) (\d+)/(\d+)  loss ([\d.]+)")
COUNTED = {"Train": "step", "Val": "held-out batch", None: "answer"}  # by the words before a bar
LOSSES = ("loss", "eval_loss")


@dataclass(frozen=True)
class Progress:
    """How far a stage is."""

    done: int
    total: int
    said: str  # in words


def read_progress(log: Path, since: float) -> Progress | None:
    """Return the progress of the stage that writes a log; None if it is unknown, or the log is older than `since`.

    `since` is when the stage was started, in seconds since 1970.
    """
    text = read_tail(log, since)
    steps, bars = list(STEP.finditer(text)), list(BAR.finditer(text))
    if steps:
        _, done, total, loss = steps[-1].groups()
        return Progress(int(done), int(total), f"step {done}/{total}, loss {loss}")
    if not bars:
        return None
    name, done, total, left = bars[-1].groups()
    words = [f"{COUNTED.get(name, 'row')} {done}/{total}"]
    if name in ("Train", "Val") and (loss := read_loss(log, since)):
        words.append(loss)
    if left:
        words.append(f"{left} left")
    return Progress(int(done), int(total), ", ".join(words))


def is_progress(line: str) -> bool:
    """Say whether a line of a log says how far a stage is, and not why it ended."""
    return bool(STEP.search(line) or BAR.search(line))


def read_loss(log: Path, since: float) -> str:
    """Return the newest loss in words, of the training that writes a log; nothing, before there is one."""
    stage = log.name.removeprefix("train_").removesuffix(".log")
    found = (log.parents[1] / "checkpoints" / stage).glob("*/logging.jsonl")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    rows = read_tail(newest, since).splitlines()[1:] if newest else []
    for line in reversed(rows):
        try:
            row = json.loads(line)
        except ValueError:  # it is being written
            continue
        if name := next((name for name in LOSSES if name in row), ""):
            return f"{'held-out ' if name != 'loss' else ''}loss {row[name]:.4f}"
    return ""


def read_tail(file: Path, since: float) -> str:
    """Return the end of a file, after a newline; only that, if it is not there or older than `since`."""
    try:
        with file.open("rb") as stream:
            state = os.fstat(stream.fileno())
            if state.st_mtime < since:
                return "\n"
            stream.seek(max(0, state.st_size - TAIL_BYTES))
            return "\n" + stream.read().decode("utf-8", "replace")
    except OSError:
        return "\n"
