"""Find rows that repeat, nearly repeat or contradict others; the memory needed does not grow with the data."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.preferences.keys import BANDS, PIECE_BYTES, Keys, count_equal
from pipeline.preferences.pair import Pair
from pipeline.preferences.spill import BLOCK_ROWS, Spill

MIN_SHARED = 0.8  # of the pieces of two near duplicates
MIN_EQUAL = 6  # of the 12 parts of two signatures; similar prompts have fewer with a chance of 0.4 %
COMPARED_BYTES = 8192  # of a text
EXAMPLES = 3

Rows = NDArray[np.uint64]
Flags = NDArray[np.bool_]  # of all rows
ReadPair = Callable[[int], Pair]
Run = Callable[[Iterable[Callable[[], Any]]], Iterator[Any]]  # makes calls, perhaps in other processes


class Repeat(NamedTuple):
    """A row, counted from 0 among the pairs that passed the other checks, and the row that it repeats."""

    row: int
    code: str
    other: int


@dataclass
class PairKeys:
    """Keys of N pairs: of id, prompt, prompt with answers; `bands` has shape (N, BANDS)."""

    ids: Keys
    prompts: Keys
    pairs: Keys
    bands: Keys
    signatures: Keys


@dataclass
class Warned:
    """How many rows a warning is about, and the first of them."""

    count: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        """Count some rows."""
        self.count += len(rows)
        self.rows = sorted([*self.rows, *np.sort(rows)[:EXAMPLES].tolist()])[:EXAMPLES]


class RepeatFinder:
    """Takes the keys of all pairs, then names those that are rejected and those that are warned of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("ids", "prompts", "pairs", "signatures")
        self.ids, self.prompts, self.pairs, self.signatures = (Spill(folder / name) for name in names)
        self.bands = [Spill(folder / f"band-{number}") for number in range(BANDS)]
        self.runs: list[Spill] = []
        self.rejected = np.zeros(0, bool)

    def add(self, keys: PairKeys) -> None:
        """Take the keys of the next pairs."""
        self.ids.append(keys.ids)
        self.prompts.append(keys.prompts)
        self.pairs.append(keys.pairs)
        self.signatures.append(keys.signatures)
        for number, band in enumerate(self.bands):
            band.append(keys.bands[:, number])

    def compare(self, run: Run) -> None:
        """Find out which rows are rejected."""
        self.rejected = np.zeros(self.pairs.count, bool)
        for (repeats,) in run(partial(self.ids.repeats, part) for part in self.ids.parts):
            self.keep("duplicate-id", repeats)
        for duplicates, contradictions in run(
            partial(compare_pairs, self.pairs, part, self.rejected) for part in self.pairs.parts
        ):
            self.keep("duplicate-pair", duplicates)
            self.keep("contradicting-pair", contradictions)

    def read_rejected(self) -> Iterator[Repeat]:
        """Yield the reasons for rejected rows, in the order of the rows."""
        codes = [run.path.name.partition(".")[0] for run in self.runs]
        return heapq.merge(*map(read_run, self.runs, codes))

    def keep(self, code: str, repeats: Rows) -> None:
        """Put rejected rows, each with the row that it repeats, into a file of their own, sorted."""
        if len(repeats):
            run = Spill(self.folder / f"{code}.{len(self.runs)}")
            run.append(repeats[np.argsort(repeats[:, 0])].ravel())
            self.runs.append(run)
            self.rejected[repeats[:, 0]] = True

    def find_warned(self, read_pair: ReadPair, run: Run) -> dict[str, Warned]:
        """Return the warnings about rows that are not rejected."""
        warned = {code: Warned() for code in ("duplicate-prompt", "near-duplicate-prompt", "near-duplicate-pair")}
        near_prompts, near_pairs = (np.zeros(self.pairs.count, bool) for _ in range(2))
        for repeats, near in run(
            partial(find_same_prompts, self.prompts, part, self.rejected, read_pair) for part in self.prompts.parts
        ):
            warned["duplicate-prompt"].add(repeats)
            near_pairs[near] = True
        for band in self.bands:
            done = self.rejected | near_prompts
            beside = self.prompts, self.signatures
            for alike, near in run(
                partial(find_near_prompts, band, part, beside, done, read_pair) for part in band.parts
            ):
                near_prompts[alike] = True
                near_pairs[near] = True
        warned["near-duplicate-prompt"].add(np.flatnonzero(near_prompts).astype(np.uint64))
        warned["near-duplicate-pair"].add(np.flatnonzero(near_pairs).astype(np.uint64))
        return warned

    def close(self) -> None:
        """Close all files."""
        for spill in (self.ids, self.prompts, self.pairs, self.signatures, *self.bands, *self.runs):
            spill.close()


def compare_pairs(pairs: Spill, part: int, rejected: Flags) -> tuple[Rows, Rows]:
    """Return the rows of a part that repeat an earlier pair, and those that contradict another one."""
    values, rows = pairs.part(part, drop_bit=True)
    # A row that is rejected for its id neither repeats nor contradicts those that go on.
    kept = ~rejected[rows]
    return compare_answers(values[kept], rows[kept])


def compare_answers(values: Keys, rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows that repeat an earlier pair, and those whose answers change places in another row.

    `values` are sorted without their lowest bit, which tells the order of the answers. Both results have shape
    (n, 2): the row, and the row that it is compared with.
    """
    keys, order = values >> np.uint64(1), values & np.uint64(1)
    new = np.diff(keys, prepend=~keys[:1]) != 0
    group = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    if len(starts) == len(rows):
        return np.zeros((0, 2), np.uint64), np.zeros((0, 2), np.uint64)
    sizes, turned = np.diff(starts, append=len(rows)), np.add.reduceat(order, starts)
    both = (turned > 0) & (turned < sizes)
    duplicate = ~new & ~both[group]
    duplicates = np.stack([rows[duplicate], rows[starts][group][duplicate]], axis=1)
    contradictions = []
    for number in np.flatnonzero(both).tolist():
        members = slice(starts[number], starts[number] + sizes[number])
        firsts = [rows[members][order[members] == side][0] for side in (0, 1)]
        contradictions += [
            (row, firsts[1 - side]) for row, side in zip(rows[members], order[members].tolist(), strict=True)
        ]
    return duplicates, np.array(contradictions, np.uint64).reshape(-1, 2)


def find_same_prompts(prompts: Spill, part: int, rejected: Flags, read_pair: ReadPair) -> tuple[Rows, Rows]:
    """Return the rows of a part whose prompt an earlier row has, and those of them whose answers are alike too."""
    (repeats,) = prompts.repeats(part)
    repeats = repeats[~rejected[repeats[:, 0]]]
    near = [row for row, other in repeats.tolist() if similar_answers(read_pair(row), read_pair(other))]
    return repeats[:, 0], np.array(near, np.uint64)


def find_near_prompts(
    band: Spill, part: int, beside: tuple[Spill, Spill], done: Flags, read_pair: ReadPair
) -> tuple[Rows, Rows]:
    """Return the rows of a part whose prompt is nearly that of an earlier row with the same band.

    After it, those of them whose answers are alike too. `beside` are the keys and the signatures of prompts.
    """
    repeats, prompts, signatures = band.repeats(part, *beside)
    alike = (prompts[:, 0] != prompts[:, 1]) & ~done[repeats[:, 0]] & (count_equal(*signatures.T) >= MIN_EQUAL)
    near_prompts, near_pairs = [], []
    for row, other in repeats[alike].tolist():
        pair, earlier = read_pair(row), read_pair(other)
        if similar(prompt_text(pair), prompt_text(earlier)):
            near_prompts.append(row)
            if similar_answers(pair, earlier):
                near_pairs.append(row)
    return np.array(near_prompts, np.uint64), np.array(near_pairs, np.uint64)


def read_run(run: Spill, code: str) -> Iterator[Repeat]:
    """Yield the rows of one file of rejected rows."""
    for start in range(0, run.count, 2 * BLOCK_ROWS):
        for row, other in run.read(start, min(start + 2 * BLOCK_ROWS, run.count)).reshape(-1, 2).tolist():
            yield Repeat(row, code, other)


def prompt_text(pair: Pair) -> str:
    """Return the text by which prompts are compared: all messages of user and assistant before the answer."""
    return "\n".join(message.content for message in pair.messages[:-1] if message.role != "system")


def similar_answers(one: Pair, two: Pair) -> bool:
    """Say whether both answers are near duplicates."""
    return similar(one.chosen, two.chosen) and similar(one.rejected_response, two.rejected_response)


def similar(one: str, two: str) -> bool:
    """Say whether two texts share MIN_SHARED of their pieces."""
    pieces = [pieces_of(text.encode()[:COMPARED_BYTES]) for text in (one, two)]
    return len(pieces[0] & pieces[1]) >= MIN_SHARED * len(pieces[0] | pieces[1])


def pieces_of(text: bytes) -> set[bytes]:
    """Return all pieces of a text; the text itself, if it is shorter than one."""
    return {text[start : start + PIECE_BYTES] for start in range(max(1, len(text) - PIECE_BYTES + 1))}
