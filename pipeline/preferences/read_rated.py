"""Make pairs of rows that hold one answer each, with a score or a label: the better ones against the worse ones.

Of the answers to one prompt, the best makes a pair with the worst, the second with the last but one, and so on, as long
as their scores differ by data.min_margin; a desirable answer makes one with an undesirable one.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pipeline.preferences.chunk import Chunk, Place, TableRow
from pipeline.preferences.explain_row import explain_row
from pipeline.preferences.formats.rated import Rated, rate
from pipeline.preferences.layouts import present_columns
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.read_row import read_single
from pipeline.preferences.row_keys import Unread
from pipeline.preferences.strict_json import parse_strictly

LABEL_MARGIN = 1.0  # between a desirable answer and an undesirable one
Prompt = tuple[tuple[tuple[str, str], ...], bytes]  # of messages, and of what stands beside them
Kind = tuple[bytes, bool]  # what stands beside the messages of an answer, and whether it has a label


class Answer(NamedTuple):
    """An answer, and the number of its row in its file."""

    number: int
    rated: Rated


class RatedFile:
    """All answers of a file, and the pairs made from them."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.rows_in = 0
        self.last_line = 0
        self.prompts: dict[tuple[Prompt, bool], list[Answer]] = defaultdict(list)  # by prompt, and whether by labels
        self.places: dict[int, Place] = {}
        self.refused: dict[int, list[Finding]] = {}
        self.parts: list[tuple[Answer, Answer]] = []  # of each pair: chosen and rejected
        self.unread: Unread = Counter()
        self.columns: set[str] = set()  # paths of data.columns that a row has

    def take(self, chunk: Chunk) -> None:
        """Take the rows of a chunk."""
        for index, line in enumerate(io.BytesIO(chunk.data)):
            number = self.last_line = chunk.first + index
            if not line.strip() and index not in chunk.problems:
                continue
            self.rows_in += 1
            self.places[number] = chunk.place(index)
            try:
                if problem := chunk.problems.get(index):
                    raise Rejected(problem)
                rated = self.read_row(line)
                self.prompts[(rated.prompt, rated.beside), rated.labelled].append(Answer(number, rated))
            except Rejected as refused:
                self.refused[number] = list(refused.findings)

    def read_row(self, line: bytes) -> Rated:
        """Return the answer of a line; raise Rejected if it holds none."""
        row, doubt = parse_strictly(line)
        if doubt:
            raise Rejected(doubt)
        self.columns |= present_columns(row, self.options.columns)
        try:
            return rate(*read_single(row, self.options, self.unread))
        except (msgspec.MsgspecError, RecursionError) as refused:
            raise Rejected(*explain_row(line, "rated", self.options, refused)) from None

    def pair_rows(self) -> Iterator[TableRow]:
        """Yield a row in ms-swift's format for every two answers that make a pair."""
        for (_, labelled), answers in self.prompts.items():
            margin = LABEL_MARGIN if labelled else self.options.min_margin
            ranked = sorted(answers, key=lambda answer: -answer.rated.score)
            for better, worse in zip(ranked[: len(ranked) // 2], reversed(ranked), strict=False):
                if round(better.rated.score - worse.rated.score, 6) < margin:
                    break
                self.parts.append((better, worse))
                yield TableRow(write_pair(better, worse), self.places[better.number].line or better.number)

    def account(self, rejected: dict[int, list[Finding]]) -> dict[int, list[Finding]]:
        """Return the findings of every row that is not in a pair, by its number.

        `rejected` holds the findings of the pairs that did not go on, by their position in `parts`.
        """
        said = dict(self.refused)
        used = set()
        for position, parts in enumerate(self.parts):
            for answer in parts:
                used.add(answer.number)
                if position in rejected:
                    said[answer.number] = rejected[position]
        kinds: dict[Any, set[Kind]] = defaultdict(set)
        for (prompt, beside), labelled in self.prompts:
            kinds[prompt].add((beside, labelled))
        for ((prompt, beside), labelled), answers in self.prompts.items():
            for answer in answers:
                if answer.number not in used:
                    said[answer.number] = [lonely(len(answers), (beside, labelled), kinds[prompt])]
        return dict(sorted(said.items()))

    def place_of(self, name: str, number: int) -> Place:
        """Return the place of a row in its file."""
        return self.places[number]


def write_pair(better: Answer, worse: Answer) -> bytes:
    """Return a pair as a row in ms-swift's format, with the tag that its answers share."""
    messages = [{"role": role, "content": text} for role, text in better.rated.prompt]
    pair = {
        "id": f"row-{better.number}>row-{worse.number}",
        "messages": [*messages, {"role": "assistant", "content": better.rated.answer}],
        "rejected_response": worse.rated.answer,
    }
    pair |= msgspec.json.decode(better.rated.beside)
    if isinstance(tag := better.rated.tag, str) and tag == worse.rated.tag:
        pair["tag"] = tag
    return msgspec.json.encode(pair)


def lonely(answers: int, own: Kind, kinds: set[Kind]) -> Finding:
    """Say why an answer is in no pair, of some answers of its kind to its prompt."""
    if answers > 1:
        return Finding("small-margin", "$", "no other answer that is left to its prompt differs by data.min_margin")
    others = kinds - {own}
    if any(beside != own[0] for beside, _ in others):
        return Finding("not-paired", "$", "the other answers to its prompt have another effort, or other tools")
    if others:
        given, missing = ("score", "label") if own[1] else ("label", "score")
        return Finding("not-paired", "$", f"the other answers to its prompt have a {given}, and no {missing}")
    return Finding("not-paired", "$", "the only answer to its prompt")
