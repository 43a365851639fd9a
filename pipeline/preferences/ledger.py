"""The account of a conversion: every row that comes in goes out as a pair, or is named with its reason."""

import heapq
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.preferences.chunk import Chunk, Place
from pipeline.preferences.convert_chunk import Converted
from pipeline.preferences.draw_pairs import Draw, SourcedPairs
from pipeline.preferences.duplicates import EXAMPLES, Repeat, RepeatFinder
from pipeline.preferences.pair_store import PairStore
from pipeline.preferences.places import find_breaks, write_places
from pipeline.preferences.problems import PROBLEMS, Finding
from pipeline.preferences.read_files import RawFile
from pipeline.preferences.rejects import describe_row
from pipeline.preferences.spill import Spill
from pipeline.preferences.workers import Workers

MAX_LONGER = 0.7  # share of pairs whose chosen answer may be the longer one, or the shorter one
MIN_PAIRS = 100  # for a bias to mean anything
MAX_ONE_THINKS = 0.5  # share of pairs in which the chosen answer alone may think, or the rejected one
MIN_THINKING = 10  # pairs

Record = tuple[int, bytes]  # number of a row among all rows, and its line of rejects.jsonl


@dataclass
class Counts:
    """The contents of quality.json."""

    rows_in: int = 0
    rows_used: int = 0
    rows_rejected: int = 0
    rows_at_fault: int = 0  # rejected for a fault, and not only because a partner or a margin is missing
    pairs: int = 0
    pairs_read: int = 0  # with those that were then left out because they repeat others
    codes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    chosen_longer: int = 0
    rejected_longer: int = 0
    thinking: Counter[str] = field(default_factory=Counter)  # pairs by which of their answers think
    keys_left: Counter[str] = field(default_factory=Counter)  # rows that hold a key which is not read, by key
    columns_left: list[str] = field(default_factory=list)  # paths of data.columns that no row which was read has
    sources: list[dict[str, Any]] = field(default_factory=list)  # only where data.raw has several, or limits

    def note(self, code: str, place: Place | str, rows: int = 1) -> None:
        """Count rows under a code, and keep the first few places."""
        self.codes[code] += rows
        if len(places := self.examples.setdefault(code, [])) < EXAMPLES:
            places.append(str(place))

    @property
    def in_other_languages(self) -> bool:
        """Whether more than half of the pairs are not in the languages that are declared."""
        return 2 * self.codes["wrong-language"] > self.pairs_read


class Ledger:
    """Takes the result of each chunk, in order, and writes pairs and rejects when all are there."""

    def __init__(
        self, folder: Path, files: list[RawFile], draw: Draw | None = None, columns: Iterable[str] = ()
    ) -> None:
        self.folder = folder
        self.files = files
        self.draw = draw
        self.surplus = np.zeros(0, bool)  # of all pairs: whether it is over the limit of its source
        self.counts = Counts()
        self.asked_columns = tuple(columns)  # of data.columns
        self.columns: set[str] = set()  # those of them that a row has
        self.finder = RepeatFinder(folder)
        self.pairs = PairStore(folder)
        self.rejects = (folder / "chunk-rejects").open("w+b")
        self.numbers, self.lines = (Spill(folder / name) for name in ("numbers", "lines"))

    def add(self, chunk: Chunk, result: Converted) -> None:
        """Take the result of the next chunk."""
        file = self.files[self.file_of(chunk.before + chunk.first)]
        self.pairs.append(result.pairs, result.ends)
        self.numbers.append(result.numbers)
        self.lines.append(result.lines)
        self.finder.add(result.keys)
        self.counts.chosen_longer += result.longer[0]
        self.counts.rejected_longer += result.longer[1]
        self.counts.thinking += result.thinking
        self.counts.keys_left.update(result.unread)
        self.columns |= result.columns
        for code, rows in result.warned.items():
            for place in result.examples[code]:
                self.counts.note(code, place, 0)
            self.counts.codes[code] += rows
        if file.grouped:
            file.refused_pairs |= {number - file.before - 1: found for number, found, _ in result.rejected}
            return
        file.rows_in += result.rows_in
        for number, findings, place in result.rejected:
            self.rejects.write(b"%d\t" % number + self.record(place, findings))

    def record(self, place: Place, findings: Sequence[Finding]) -> bytes:
        """Count a rejected row under each of its codes, and return its line."""
        codes = dict.fromkeys(finding.code for finding in findings)
        for code in codes:
            self.counts.note(code, place)
        self.counts.rows_at_fault += any(PROBLEMS[code].severity == "error" for code in codes)
        return describe_row(place, findings)

    def file_of(self, number: int) -> int:
        """Return the position of the file that a row is in."""
        return bisect_right(self.files, number - 1, key=lambda file: file.before) - 1

    def place_of(self, row: int) -> Place:
        """Return the place in the raw files of the pair with this position among all pairs."""
        number, line = self.numbers[row], self.lines[row]
        file = self.files[self.file_of(number)]
        return Place(file.name, line or None, number - file.before if file.numbered else None)

    def write(self, out: Path, workers: Workers) -> Counts:
        """Write pairs.jsonl, rejects.jsonl and places.jsonl, and return the account of them."""
        self.finder.compare(workers.run)
        self.draw_pairs()
        self.warn_of_repeats(workers)
        self.warn_of_bias()
        self.warn_of_thinking()
        self.counts.pairs = self.counts.pairs_read = self.numbers.count
        with (self.folder / "repeat-rejects").open("w+b") as repeats:
            left_out = array("Q", self.reject_repeats(repeats))
            self.pairs.leave_out(left_out)
            others = sorted(self.broken_records() + self.grouped_records())
            with (out / "rejects.jsonl").open("wb") as rejects:
                for _, line in heapq.merge(read_records(self.rejects), read_records(repeats), others):
                    rejects.write(line)
                    self.counts.rows_rejected += 1
        self.pairs.path.replace(out / "pairs.jsonl")
        starts = np.array([file.before for file in self.files], np.uint64)
        breaks = find_breaks(self.numbers, self.lines, starts, np.array(left_out, np.uint64))
        write_places(out / "places.jsonl", breaks, self.place_of)
        return self.balance()

    def draw_pairs(self) -> None:
        """Find the pairs over the limits of their sources, and count the pairs of each source."""
        if not self.draw:
            return
        starts = np.array([file.before for file in self.files], np.uint64)
        pairs = SourcedPairs(self.draw, self.finder.pairs, self.numbers, starts)
        self.surplus = pairs.find_surplus(self.finder.rejected)
        self.finder.rejected |= self.surplus
        self.counts.sources = [
            {"source": source.name, "limit": source.limit, "rows_in": 0, "pairs": count}
            for source, count in zip(self.draw.sources, pairs.count(self.finder.rejected), strict=True)
        ]

    def reject_repeats(self, repeats: IO[bytes]) -> Iterator[int]:
        """Yield the pairs that repeat or contradict others or are over a limit, which are named in `repeats`."""
        by_row = groupby(self.finder.read_rejected(), key=lambda repeat: repeat.row)
        repeated = ((row, self.describe_repeats(found)) for row, found in by_row)
        surplus = ((int(row), [Finding("over-limit")]) for row in np.flatnonzero(self.surplus))
        for row, findings in heapq.merge(repeated, surplus, key=itemgetter(0)):
            self.counts.pairs -= 1
            self.reject_pair(row, findings, repeats)
            yield row

    def describe_repeats(self, found: Iterable[Repeat]) -> list[Finding]:
        """Return the findings about a row that repeats others."""
        return [
            Finding(
                repeat.code, "$", f"{PROBLEMS[repeat.code].meaning.partition('.')[0]}: {self.place_of(repeat.other)}"
            )
            for repeat in found
        ]

    def reject_pair(self, row: int, findings: list[Finding], repeats: IO[bytes]) -> None:
        """Name a row that was a pair."""
        number = self.numbers[row]
        file = self.files[self.file_of(number)]
        if file.grouped:
            file.refused_pairs[number - file.before - 1] = findings
        else:
            repeats.write(b"%d\t" % number + self.record(self.place_of(row), findings))

    def warn_of_repeats(self, workers: Workers) -> None:
        """Count the rows that repeat others without harm."""
        for code, warned in self.finder.find_warned(self.pairs.read, workers.run).items():
            for row in warned.rows:
                self.counts.note(code, self.place_of(row), 0)
            self.counts.codes[code] += warned.count

    def warn_of_bias(self) -> None:
        """Say if the chosen answer is mostly the longer one, or the shorter one."""
        sides = (self.counts.chosen_longer, self.counts.rejected_longer)
        if sum(sides) >= MIN_PAIRS and max(sides) > MAX_LONGER * sum(sides):
            side = "longer" if sides[0] > sides[1] else "shorter"
            self.counts.note("length-bias", f"chosen is {side} in {max(sides) / sum(sides):.0%}", max(sides))

    def warn_of_thinking(self) -> None:
        """Say if in most pairs one answer thinks and the other does not, always on the same side."""
        thinking = self.counts.thinking
        for side in ("chosen", "rejected"):
            if thinking[side] >= MIN_THINKING and thinking[side] > MAX_ONE_THINKS * thinking.total():
                share = thinking[side] / thinking.total()
                self.counts.note("thinking-bias", f"only {side} thinks in {share:.0%}", thinking[side])

    def broken_records(self) -> list[Record]:
        """Return a record for each file that broke off."""
        records = []
        for file in self.files:
            if file.broken:
                place, finding = file.broken
                file.rows_in += 1
                file.rows_rejected += 1
                records.append((file.before + (place.line or place.row or 1), self.record(place, [finding])))
        return records

    def grouped_records(self) -> list[Record]:
        """Return a record for each row that makes a pair with others, and is in none."""
        records = []
        for file in self.files:
            if file.grouped:
                file.rows_in += file.grouped.rows_in
                self.counts.keys_left.update(file.grouped.unread)
                self.columns |= file.grouped.columns
                for line, findings in file.grouped.account(file.refused_pairs).items():
                    file.rows_rejected += 1
                    records.append((file.before + line, self.record(file.grouped.place_of(file.name, line), findings)))
        return records

    def balance(self) -> Counts:
        """Return the account; no row may be missing from it."""
        counts, mqm = self.counts, [file for file in self.files if file.grouped]
        counts.rows_in = sum(file.rows_in for file in self.files)
        counts.rows_used = counts.rows_in - counts.rows_rejected
        counts.files = [
            {"file": file.name, "format": file.format or "unknown", "rows_in": file.rows_in} for file in self.files
        ]
        counts.columns_left = [path for path in self.asked_columns if path not in self.columns]
        self.count_sources()
        # An annotation is used if it is in a pair; every other row is one pair.
        annotations = sum(file.rows_in - file.rows_rejected for file in mqm)
        of_mqm = sum(len(file.grouped.parts) - len(file.refused_pairs) for file in mqm if file.grouped)
        if counts.rows_used - annotations != counts.pairs - of_mqm:
            raise RuntimeError(f"rows were lost: {counts}")
        return counts

    def count_sources(self) -> None:
        """Add the rows of each source to its pairs."""
        files = iter(self.files)
        for source, found in zip(self.draw.sources if self.draw else (), self.counts.sources, strict=True):
            found["rows_in"] = sum(next(files).rows_in for _ in source.files)

    def close(self) -> None:
        """Close all files."""
        for file in (self.pairs, self.rejects, self.finder, self.numbers, self.lines):
            file.close()


def read_records(spool: IO[bytes]) -> Iterator[Record]:
    """Yield the records of a spool."""
    spool.flush()
    spool.seek(0)
    for line in spool:
        number, _, record = line.partition(b"\t")
        yield int(number), record
