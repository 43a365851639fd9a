"""The account of a conversion: every row that comes in goes out as a pair, or is named with its reason."""

import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from pipeline.preferences.chunk import Chunk, Place
from pipeline.preferences.convert_chunk import Converted
from pipeline.preferences.duplicates import EXAMPLES, Repeat, RepeatFinder
from pipeline.preferences.pair_store import PairStore
from pipeline.preferences.problems import PROBLEMS, Finding
from pipeline.preferences.read_files import RawFile
from pipeline.preferences.rejects import describe_row
from pipeline.preferences.spill import Spill
from pipeline.preferences.workers import Workers

MAX_LONGER = 0.7  # share of pairs whose chosen answer may be the longer one, or the shorter one
MIN_PAIRS = 100  # for a bias to mean anything

Record = tuple[int, bytes]  # number of a row among all rows, and its line of rejects.jsonl


@dataclass
class Counts:
    """The contents of quality.json."""

    rows_in: int = 0
    rows_used: int = 0
    rows_rejected: int = 0
    rows_at_fault: int = 0  # rejected for a fault, and not only because a partner or a margin is missing
    pairs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    chosen_longer: int = 0
    rejected_longer: int = 0

    def note(self, code: str, place: Place | str, rows: int = 1) -> None:
        """Count rows under a code, and keep the first few places."""
        self.codes[code] += rows
        if len(places := self.examples.setdefault(code, [])) < EXAMPLES:
            places.append(str(place))


class Ledger:
    """Takes the result of each chunk, in order, and writes pairs and rejects when all are there."""

    def __init__(self, folder: Path, files: list[RawFile]) -> None:
        self.folder = folder
        self.files = files
        self.counts = Counts()
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
        for code, rows in result.warned.items():
            for place in result.examples[code]:
                self.counts.note(code, place, 0)
            self.counts.codes[code] += rows
        if file.mqm:
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

    def write(self, pairs: Path, rejects: Path, workers: Workers) -> Counts:
        """Write both files, and return the account, in which what was written is counted."""
        self.finder.compare(workers.run)
        self.warn_of_repeats(workers)
        self.warn_of_bias()
        self.counts.pairs = self.numbers.count
        with (self.folder / "repeat-rejects").open("w+b") as repeats:
            self.pairs.leave_out(self.reject_repeats(repeats))
            others = sorted(self.broken_records() + self.mqm_records())
            with rejects.open("wb") as out:
                for _, line in heapq.merge(read_records(self.rejects), read_records(repeats), others):
                    out.write(line)
                    self.counts.rows_rejected += 1
        self.pairs.path.replace(pairs)
        return self.balance()

    def reject_repeats(self, repeats: IO[bytes]) -> Iterator[int]:
        """Yield the pairs that repeat or contradict others, which are named in `repeats`."""
        for row, found in groupby(self.finder.read_rejected(), key=lambda repeat: repeat.row):
            self.counts.pairs -= 1
            self.reject_repeat(row, list(found), repeats)
            yield row

    def reject_repeat(self, row: int, found: Sequence[Repeat], repeats: IO[bytes]) -> None:
        """Name a row that repeats others."""
        number = self.numbers[row]
        findings = [
            Finding(
                repeat.code, "$", f"{PROBLEMS[repeat.code].meaning.partition('.')[0]}: {self.place_of(repeat.other)}"
            )
            for repeat in found
        ]
        file = self.files[self.file_of(number)]
        if file.mqm:
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

    def mqm_records(self) -> list[Record]:
        """Return a record for each MQM annotation that is in no pair."""
        records = []
        for file in self.files:
            if file.mqm:
                file.rows_in += file.mqm.rows_in
                for line, findings in file.mqm.account(file.refused_pairs).items():
                    file.rows_rejected += 1
                    records.append((file.before + line, self.record(Place(file.name, line, None), findings)))
        return records

    def balance(self) -> Counts:
        """Return the account; no row may be missing from it."""
        counts, mqm = self.counts, [file for file in self.files if file.mqm]
        counts.rows_in = sum(file.rows_in for file in self.files)
        counts.rows_used = counts.rows_in - counts.rows_rejected
        counts.files = [
            {"file": file.name, "format": file.format or "unknown", "rows_in": file.rows_in} for file in self.files
        ]
        # An annotation is used if it is in a pair; every other row is one pair.
        annotations = sum(file.rows_in - file.rows_rejected for file in mqm)
        of_mqm = sum(len(file.mqm.parts) - len(file.refused_pairs) for file in mqm if file.mqm)
        if counts.rows_used - annotations != counts.pairs - of_mqm:
            raise RuntimeError(f"rows were lost: {counts}")
        return counts

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
