"""Turn the rows of a chunk into pairs, and give the reason for every row that does not become one."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import polars as pl
from msgspec import UNSET
from numpy.typing import NDArray

from pipeline.preferences.checks import (
    ANALYSIS,
    PAIR_CHECKS,
    Fault,
    PairCheck,
    find_pair_faults,
    find_role_faults,
    find_text_faults,
)
from pipeline.preferences.chunk import MAX_ROW_BYTES, Chunk, Place
from pipeline.preferences.columns import REJECTED, Columns
from pipeline.preferences.duplicates import EXAMPLES, PairKeys
from pipeline.preferences.explain_row import explain_row
from pipeline.preferences.formats.source import Source
from pipeline.preferences.harmony_parts import may_hold_parts
from pipeline.preferences.keys import Keys, pair_keys, prompt_keys, sketch_prompts, text_keys
from pipeline.preferences.layouts import present_columns, top_of
from pipeline.preferences.options import Options
from pipeline.preferences.pair import Message, Pair, encode_lines
from pipeline.preferences.problems import PROBLEMS, Finding, Rejected
from pipeline.preferences.read_row import locate_row, read_row
from pipeline.preferences.row_keys import Unread, matches
from pipeline.preferences.strict_json import parse_strictly
from pipeline.preferences.translation import translation_checks

FEW_BYTES = 1 << 14
HIDES_KEYS = re.compile(rb'[\x00-\x20]:|\\\\":')
REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Rejected)
decode_pair = msgspec.json.Decoder(Pair).decode
decode_any = msgspec.json.Decoder().decode


@dataclass
class Converted:
    """The result for a chunk: N pairs, and the rejected rows."""

    rows_in: int
    pairs: bytes  # JSON Lines
    ends: NDArray[np.uint64]  # of each pair's line in `pairs`
    numbers: NDArray[np.uint64]  # of each pair's row among all rows
    lines: NDArray[np.uint64]  # of each pair's row in its file; 0 where it has none
    keys: PairKeys
    rejected: list[tuple[int, list[Finding], Place]]  # by number among all rows
    warned: Counter[str] = field(default_factory=Counter)  # rows by code
    examples: dict[str, list[Place]] = field(default_factory=dict)
    longer: tuple[int, int] = (0, 0)  # pairs whose chosen, and whose rejected answer is the longer one
    thinking: Counter[str] = field(default_factory=Counter)  # pairs by the answers that think
    unread: Unread = field(default_factory=Counter)  # rows that hold a key which is not read, by key
    columns: frozenset[str] = frozenset()  # paths of data.columns that a row has


class RowReader:
    """Reads the lines of a chunk: all at once if every line is valid, else line by line."""

    def __init__(self, chunk: Chunk, options: Options) -> None:
        self.chunk = chunk
        # A row that was made of others has our names already.
        self.options = replace(options, columns=(), ignore=frozenset()) if chunk.made else options
        self.may_be_plain = not names_part_of_pair(self.options)
        self.lines = list(BytesIO(chunk.data))
        # An empty line at the end is a row too, if the reader says so.
        self.lines += [b""] * (max(chunk.problems, default=-1) + 1 - len(self.lines))
        self.is_utf8 = is_utf8(chunk.data)
        self.indices: list[int] = []
        self.pairs: list[Pair] = []
        self.findings: dict[int, list[Finding]] = {index: [found] for index, found in chunk.problems.items()}
        self.warnings: dict[str, list[int]] = {}  # positions in `pairs`, by code
        self.settings: dict[int, str] = {}  # tools and effort, by position in `pairs`
        self.rows_in = 0
        self.unread: Unread = Counter()
        self.columns: set[str] = set()

    def read(self) -> None:
        """Fill `pairs`, with the index of each one's line, and `findings`."""
        if not self.read_all():
            self.read_each()

    def read_all(self) -> bool:
        """Read all lines at once as pairs; say whether each is one, without a key that stands twice or is not read.

        Where the raw text has as many keys as the pairs have fields, no row has such a key.
        """
        small = len(self.chunk.data) <= MAX_ROW_BYTES
        if self.chunk.format != "swift" or not self.may_be_plain or not self.is_utf8 or self.findings or not small:
            return False
        if may_hold_parts(self.chunk.data):
            return False
        try:
            pairs = list(map(decode_pair, self.lines))
        except REFUSALS:
            return False
        if count_keys(self.chunk.data) != sum(map(count_fields, pairs)):
            return False
        self.pairs, self.indices, self.rows_in = pairs, list(range(len(pairs))), len(pairs)
        return True

    def read_each(self) -> None:
        """Read line by line."""
        for index, line in enumerate(self.lines):
            if index in self.findings:
                self.rows_in += 1
            elif line.strip():
                self.rows_in += 1
                try:
                    pair, warnings = self.read_line(line)
                except Rejected as refused:
                    self.findings[index] = list(map(self.place, refused.findings))
                else:
                    self.add(index, pair, warnings)

    def add(self, index: int, pair: Pair, warnings: Iterable[str]) -> None:
        """Take the pair of a line, and what it is warned of."""
        for code in warnings:
            self.warnings.setdefault(code, []).append(len(self.pairs))
        if pair.tools is not UNSET or pair.chat_template_kwargs is not UNSET:
            said = [pair.tools or None, pair.chat_template_kwargs or None]
            self.settings[len(self.pairs)] = msgspec.json.encode(said).decode()
        self.pairs.append(pair)
        self.indices.append(index)

    def read_line(self, line: bytes) -> tuple[Pair, tuple[str, ...]]:
        """Return the pair of one line, and what it is warned of; raise Rejected if the line is not a pair."""
        if self.chunk.format is None or len(line) > MAX_ROW_BYTES:
            raise Rejected(*explain_row(line, self.chunk.format, self.options))
        try:
            if not self.is_utf8:
                line.decode()
            if self.chunk.format == "swift" and self.may_be_plain and (pair := decode_plain(line)):
                return pair, ()
            row = decode_any(line)
            # As many keys stand in the line as in the row that is read, if none stands twice.
            if (count := count_keys(line)) is None or count != count_keys(msgspec.json.encode(row)):
                refuse_doubts(line)
            source = self.convert(row, self.unread)
            return source.pair, source.warnings
        except Rejected as refused:
            refuse_doubts(line)
            raise refused from None
        except REFUSALS as refused:
            raise Rejected(*explain_row(line, self.chunk.format, self.options, refused)) from None

    def convert(self, row: Any, unread: Unread) -> Source:
        """Return the pair of a row, as its format converts it, and count the keys that are not read."""
        assert self.chunk.format is not None
        if len(self.columns) < len(self.options.columns):
            self.columns |= present_columns(row, self.options.columns)
        return read_row(row, self.chunk.format, self.options, unread)

    def place(self, finding: Finding) -> Finding:
        """Return a finding without its column where a row does not begin its line."""
        return finding._replace(column=None) if self.chunk.numbered else finding


def names_part_of_pair(options: Options) -> bool:
    """Say whether data.columns or data.ignore names a key of a pair in ms-swift's format."""
    renamed = {top_of(path) for path, _ in options.columns}
    return any(key in renamed or matches(key, options.ignore) for key in Pair.__struct_fields__)


def decode_plain(line: bytes) -> Pair | None:
    """Return the pair of a line that holds nothing else, None where there is more to look at."""
    if may_hold_parts(line):
        return None
    try:
        pair = decode_pair(line)
    except REFUSALS:
        return None
    return pair if count_keys(line) == count_fields(pair) else None


def refuse_doubts(line: bytes) -> None:
    """Raise Rejected if a line can be read in two ways, or is not what JSON is."""
    _, doubt = parse_strictly(line)
    if doubt:
        raise Rejected(doubt)


def is_utf8(data: bytes) -> bool:
    """Say whether the bytes are UTF-8, at the speed of polars."""
    if data.isascii():
        return True
    try:
        pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return False
    return True


def count_keys(data: bytes) -> int | None:
    """Count the keys of all objects in some JSON; None if some may be hidden.

    A key ends with a quote that is not escaped, and a colon after it. White space before the colon hides one, and so
    does a backslash at its end.
    """
    if len(data) < FEW_BYTES:  # for which numpy takes longer
        hidden = HIDES_KEYS.search(data)
        return None if hidden else data.count(b'":') - data.count(b'\\":')
    array = np.frombuffer(data, np.uint8)
    colons = np.flatnonzero(array == ord(":"))
    before = array[colons - 1]
    if (before <= ord(" ")).any():
        return None
    quoted = colons[before == ord('"')]
    escaped = array[quoted - 2] == ord("\\")
    if (array[quoted[escaped] - 3] == ord("\\")).any():
        return None
    return int(len(quoted) - np.count_nonzero(escaped))


def count_fields(pair: Pair) -> int:
    """Count the keys of a pair in ms-swift's format."""
    return 2 + 2 * len(pair.messages) + (pair.id is not UNSET) + (pair.tag is not UNSET)


@cache
def pair_checks(languages: tuple[str, str] | None) -> tuple[PairCheck, ...]:
    """Return the checks of pairs, with those of translations where languages are declared."""
    return PAIR_CHECKS + (translation_checks(*languages) if languages else ())


def convert_chunk(chunk: Chunk, options: Options) -> Converted:
    """Return the pairs of a chunk, and the faults of its other rows."""
    reader = RowReader(chunk, options)
    reader.read()
    columns = Columns(reader.pairs)
    faults = list(find_faults(columns, chunk.data, pair_checks(options.languages)))
    faults += [Fault(pair, code) for code, pairs in reader.warnings.items() for pair in pairs]
    errors: dict[int, list[Fault]] = {}
    warnings: dict[str, list[int]] = {}
    for fault in faults:
        if PROBLEMS[fault.code].severity == "error":
            errors.setdefault(fault.pair, []).append(fault)
    for fault in faults:
        if PROBLEMS[fault.code].severity == "warning" and fault.pair not in errors:
            warnings.setdefault(fault.code, []).append(reader.indices[fault.pair])
    for pair, found in errors.items():
        index = reader.indices[pair]
        reader.findings[index] = locate(found, reader, index)
    kept = np.delete(np.arange(len(reader.pairs)), list(errors))
    return finish(reader, columns, kept, warnings)


def find_faults(columns: Columns, raw: bytes, checks: Sequence[PairCheck]) -> Iterator[Fault]:
    """Yield the faults of all pairs. Answers are compared only where roles and texts are in order."""
    faulty = set()
    for fault in chain(find_role_faults(columns), find_text_faults(columns, raw)):
        faulty.add(fault.pair)
        yield fault
    for fault in find_pair_faults(columns, checks):
        if fault.pair not in faulty:
            yield fault


def locate(faults: Sequence[Fault], reader: RowReader, index: int) -> list[Finding]:
    """Return the faults of a pair with the paths of the texts in the raw row."""
    try:
        source = locate_row(decode_any(reader.lines[index]), reader.chunk.format or "", reader.options)
        paths = {None: "$", REJECTED: source.rejected_path} | dict(enumerate(source.message_paths))
    except REFUSALS:  # a blank text, which only the reading of whole pairs lets through
        paths = {fault.where: f"$.messages[{fault.where}].content" for fault in faults}
        paths |= {None: "$", REJECTED: "$.rejected_response"}
    return [Finding(fault.code, paths[fault.where], fault.detail) for fault in faults]


def finish(reader: RowReader, columns: Columns, kept: NDArray[np.int64], warnings: dict[str, list[int]]) -> Converted:
    """Return the pairs that are kept, named and encoded, with their keys."""
    chunk = reader.chunk
    name_pairs(reader)
    keys = compute_keys(reader, columns, kept)
    if reader.options.system is not None:
        add_system(reader.pairs, reader.options.system)
    every = len(kept) == len(reader.pairs)
    encoded = encode_lines(reader.pairs if every else [reader.pairs[pair] for pair in kept.tolist()])
    indices = np.array(reader.indices, np.int64)[kept]
    return Converted(
        rows_in=reader.rows_in,
        pairs=encoded,
        ends=(np.flatnonzero(np.frombuffer(encoded, np.uint8) == ord("\n")) + 1).astype(np.uint64),
        numbers=(indices + chunk.number(0)).astype(np.uint64),
        lines=lines_of(chunk, indices).astype(np.uint64),
        keys=keys,
        rejected=[(chunk.number(i), found, chunk.place(i)) for i, found in sorted(reader.findings.items())],
        warned=Counter({code: len(set(rows)) for code, rows in warnings.items()}),
        examples={
            code: [chunk.place(index) for index in sorted(set(rows))[:EXAMPLES]] for code, rows in warnings.items()
        },
        longer=count_longer(columns, kept),
        thinking=count_thinking(columns, kept),
        unread=reader.unread,
        columns=frozenset(reader.columns),
    )


def name_pairs(reader: RowReader) -> None:
    """Give each pair a name, the number of its row where it has none."""
    for index, pair in zip(reader.indices, reader.pairs, strict=True):
        if pair.id is UNSET:
            pair.id = f"row-{reader.chunk.number(index)}"
        elif not isinstance(pair.id, str):
            pair.id = str(pair.id)


def add_system(pairs: Sequence[Pair], system: str) -> None:
    """Begin each conversation that has no system message with this one."""
    for pair in pairs:
        if pair.messages[0].role != "system":
            pair.messages = [Message("system", system), *pair.messages]


def count_longer(columns: Columns, kept: NDArray[np.int64]) -> tuple[int, int]:
    """Count the pairs whose chosen answer is the longer one, and those whose rejected answer is."""
    difference = np.subtract(*columns.sizes)[kept]
    return int((difference > 0).sum()), int((difference < 0).sum())


def count_thinking(columns: Columns, kept: NDArray[np.int64]) -> Counter[str]:
    """Count the pairs by which of their answers think: both, chosen, rejected, neither."""
    chosen, rejected = (
        columns.answers[name].str.starts_with(ANALYSIS).to_numpy()[kept] for name in ("chosen", "rejected")
    )
    sides = {"both": chosen & rejected, "chosen": chosen & ~rejected, "rejected": rejected & ~chosen}
    counts = Counter({side: int(np.count_nonzero(pairs)) for side, pairs in sides.items()})
    return counts + Counter(neither=len(kept) - counts.total())


def compute_keys(reader: RowReader, columns: Columns, kept: NDArray[np.int64]) -> PairKeys:
    """Return the keys of the pairs that are kept."""
    pairs = reader.pairs
    hashes = text_keys(columns.texts)
    prompts = prompt_keys(columns, hashes) + settings_keys(reader.settings, len(pairs))
    bands, signatures = sketch_prompts(columns)
    return PairKeys(
        ids=text_keys(pl.Series([pair.id for pair in pairs], dtype=pl.String))[kept],
        prompts=prompts[kept],
        pairs=pair_keys(columns, hashes, prompts)[kept],
        bands=bands[kept],
        signatures=signatures[kept],
    )


def settings_keys(settings: Mapping[int, str], pairs: int) -> Keys:
    """Return the key of the tools and the effort of each pair, 0 where it has neither."""
    keys = np.zeros(pairs, np.uint64)
    keys[list(settings)] = text_keys(pl.Series(list(settings.values()), dtype=pl.String))
    return keys


def lines_of(chunk: Chunk, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the line of each row, 0 where rows have none."""
    if chunk.lines:
        return np.array(chunk.lines, np.int64)[indices]
    return np.zeros_like(indices) if chunk.numbered else indices + chunk.first
