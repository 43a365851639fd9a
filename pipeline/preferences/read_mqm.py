"""Make pairs from MQM annotations: of two translations of a segment, the one with the smaller penalty is chosen.

Source: Freitag et al. 2021, "Experts, Errors, and Context", with the weights of
https://github.com/google/wmt-mqm-human-evaluation: a translation's penalty is the mean over its raters of
the sum of the penalties of the errors that each marked.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from msgspec.json import encode

from pipeline.preferences.chunk import TableRow
from pipeline.preferences.problems import Finding

COLUMNS = ("system", "doc", "rater", "source", "target", "category", "severity")
SEGMENT_COLUMNS = ("seg_id", "seg")
SEVERITIES = {"major": 5.0, "minor": 1.0, "neutral": 0.0, "no-error": 0.0}
SPAN = ("<v>", "</v>")  # around the marked words


def is_mqm(header: Sequence[str]) -> bool:
    """Say whether a table's columns are those of MQM annotations."""
    return set(COLUMNS) <= set(header) and any(name in header for name in SEGMENT_COLUMNS)


def penalty(category: str, severity: str) -> float:
    """Return the penalty of one error, in MQM points."""
    if category.lower().startswith("non-translation"):
        return 25.0
    if severity.lower() == "minor" and category.lower() == "fluency/punctuation":
        return 0.1
    return SEVERITIES[severity.lower()]


@dataclass
class Translation:
    """One translation of a segment: who made it, its annotations' lines, and each rating's summed penalties."""

    systems: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    ratings: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    categories: Counter[str] = field(default_factory=Counter)

    @property
    def penalty(self) -> float:
        """The mean over its ratings, in MQM points; two systems with one text are rated twice."""
        return round(sum(self.ratings.values()) / len(self.ratings), 6)

    @property
    def worst_category(self) -> str:
        """The category with the largest sum of penalties."""
        return max(self.categories, key=lambda name: (self.categories[name], name))


Segment = tuple[str, ...]
Annotation = dict[str, str]


class MqmFile:
    """All annotations of a file, and the pairs made from them."""

    def __init__(self, min_margin: float) -> None:
        self.min_margin = min_margin
        self.rows_in = 0
        self.segments: dict[Segment, dict[str, Translation]] = defaultdict(dict)
        self.sources: dict[Segment, str] = {}
        self.refused: dict[int, Finding] = {}  # by line
        self.parts: list[tuple[Translation, Translation]] = []  # of each pair: chosen and rejected

    def read(self, header: list[str], text: io.TextIOWrapper) -> None:
        """Take the annotations below the header. Quotes have no special meaning in these files."""
        for line, cells in enumerate((row.rstrip("\r\n").split("\t") for row in text), start=2):
            if cells == [""]:
                continue
            self.rows_in += 1
            if finding := find_fault(header, cells):
                self.refused[line] = finding
            else:
                self.take(dict(zip(header, cells, strict=True)), line)
        text.detach()

    def take(self, row: Annotation, line: int) -> None:
        """Add one annotation to its translation."""
        names = ("doc", "doc_id", *SEGMENT_COLUMNS)
        segment = tuple(row[name] for name in names if name in row)
        target, source = (row[name].replace(SPAN[0], "").replace(SPAN[1], "") for name in ("target", "source"))
        self.sources.setdefault(segment, source)
        translation = self.segments[segment].setdefault(target, Translation())
        if row["system"] not in translation.systems:
            translation.systems.append(row["system"])
        points = penalty(row["category"], row["severity"])
        translation.lines.append(line)
        translation.ratings[row["system"], row["rater"]] += points
        translation.categories[row["category"]] += points  # type: ignore[assignment]

    def pair_rows(self) -> Iterator[TableRow]:
        """Yield a row in ms-swift's format for every two translations of a segment that differ enough."""
        for segment, translations in self.segments.items():
            for one, two in combinations(translations.items(), 2):
                (chosen, better), (rejected, worse) = sorted((one, two), key=lambda item: item[1].penalty)
                if worse.penalty - better.penalty < self.min_margin:
                    continue
                self.parts.append((better, worse))
                pair = {
                    "id": f"{'/'.join(segment)}:{better.systems[0]}>{worse.systems[0]}",
                    "tag": worse.worst_category,
                    "messages": [
                        {"role": "user", "content": self.sources[segment]},
                        {"role": "assistant", "content": chosen},
                    ],
                    "rejected_response": rejected,
                }
                yield TableRow(encode(pair), better.lines[0])

    def account(self, rejected: dict[int, list[Finding]]) -> dict[int, list[Finding]]:
        """Return the findings of every annotation that is not in a pair, by line.

        `rejected` holds the findings of the pairs that did not go on, by their position in `parts`.
        """
        used: set[int] = set()
        said: dict[int, list[Finding]] = {line: [finding] for line, finding in self.refused.items()}
        for number, parts in enumerate(self.parts):
            for translation in parts:
                if number in rejected:
                    for line in translation.lines:
                        said.setdefault(line, rejected[number])
                else:
                    used.update(translation.lines)
        for translations in self.segments.values():
            for translation in translations.values():
                for line in translation.lines:
                    said.setdefault(line, [lonely(translations)])
        return {line: found for line, found in sorted(said.items()) if line not in used}


def find_fault(header: list[str], cells: list[str]) -> Finding | None:
    """Return the fault of a line that is not an annotation."""
    if len(cells) != len(header):
        return Finding("wrong-structure", "$", f"{len(cells)} cells, but the header has {len(header)}")
    if any(not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell) for cell in cells):
        return Finding("not-utf8")
    severity = cells[header.index("severity")]
    if severity.lower() not in SEVERITIES:
        return Finding("wrong-structure", "$.severity", f"{severity!r} is not one of {', '.join(SEVERITIES)}")
    return None


def lonely(translations: dict[str, Translation]) -> Finding:
    """Say why a translation is in no pair."""
    if len(translations) == 1:
        return Finding("not-paired", "$.target", "the only translation of its segment")
    return Finding("small-margin", "$.severity", "no other translation's penalty differs by data.min_margin")
