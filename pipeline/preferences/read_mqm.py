"""Make pairs from MQM annotations: of two translations of a segment, the one with the smaller penalty is chosen.

Source: Freitag et al. 2021, "Experts, Errors, and Context", with the weights of
https://github.com/google/wmt-mqm-human-evaluation: a translation's penalty is the mean over its raters of
the sum of the penalties of the errors that each marked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from msgspec.json import encode

from pipeline.preferences.chunk import BrokenFile, Place, TableRow
from pipeline.preferences.options import Options
from pipeline.preferences.problems import Finding
from pipeline.preferences.row_keys import Unread, is_aside, is_harmless, name_key

COLUMNS = ("system", "doc", "rater", "source", "target", "category", "severity")
# What names a segment within a document, over the years: seg_id, docSegId, global_seg_id.
SEGMENT_COLUMNS = ("docid", "segid", "seg", "docsegid", "globalsegid")
SEVERITIES = {"critical": 5.0, "major": 5.0, "minor": 1.0, "neutral": 0.0, "no-error": 0.0}
TEST = "hotw-test"  # the severity of a row that tests the annotator with an error put in on purpose
SPAN = ("<v>", "</v>")  # around the marked words


def column_names(header: Sequence[str]) -> list[str]:
    """Return the columns in one spelling: docSegId and doc_seg_id are docsegid."""
    return [name.lower().replace("_", "").replace(" ", "") for name in header]


def is_mqm(header: Sequence[str]) -> bool:
    """Say whether a table's columns are those of MQM annotations."""
    names = column_names(header)
    return set(COLUMNS) <= set(names) and any(name in names for name in SEGMENT_COLUMNS[1:])


def penalty(category: str, severity: str) -> float:
    """Return the penalty of one error, in MQM points. Neither is given where there is no error."""
    name = category.lower().replace("_", " ").replace("-", " ")
    if name.startswith("non translation"):
        return 25.0
    if name in ("source error", "source issue") or name.startswith("source error/") or "reinterpretation" in name:
        return 0.0
    if severity.lower() == "minor" and "punctuation" in name:
        return 0.1
    return SEVERITIES[severity.lower() or "no-error"]


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

    def __init__(self, options: Options) -> None:
        self.min_margin = options.min_margin
        self.ignore = options.ignore
        self.unread: Unread = Counter()  # files with such a column
        self.rows_in = 0
        self.last_line = 0
        self.segments: dict[Segment, dict[str, Translation]] = defaultdict(dict)
        self.sources: dict[Segment, str] = {}
        self.refused: dict[int, Finding] = {}  # by line
        self.parts: list[tuple[Translation, Translation]] = []  # of each pair: chosen and rejected

    def read(self, header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> None:
        """Take the annotations below the header, each with its line."""
        names = column_names(header)
        left = [name for name, known in zip(header, names, strict=True) if known not in (*COLUMNS, *SEGMENT_COLUMNS)]
        for name in left:
            if not (is_aside(name, self.ignore) or is_harmless(name)):
                raise BrokenFile(name_key(name, "$").detail, 1, code="unknown-key")
        self.unread.update(left)
        for line, cells in rows:
            self.rows_in += 1
            self.last_line = line
            row = dict(zip(names, cells, strict=False))
            if finding := find_fault(row, names, len(cells)):
                self.refused[line] = finding
            else:
                self.take(row, line)

    def take(self, row: Annotation, line: int) -> None:
        """Add one annotation to its translation."""
        segment = tuple(row[name] for name in ("doc", *SEGMENT_COLUMNS) if name in row)
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

    def place_of(self, name: str, line: int) -> Place:
        """Return the place of an annotation in its file."""
        return Place(name, line, None)


def find_fault(row: Annotation, names: Sequence[str], found: int) -> Finding | None:
    """Return the fault of a line of `found` cells that is not an annotation. Empty ones at its end may be left out."""
    needed = (*COLUMNS[:5], *SEGMENT_COLUMNS)
    if found > len(names) or set(needed) & set(names[found:]):
        return Finding("wrong-structure", "$", f"{found} cells, but the header has {len(names)}")
    if empty := next((name for name in COLUMNS[:5] if not row[name]), None):  # as where a system gave no translation
        return Finding("not-paired", f"$.{empty}", "empty: there is nothing to compare")
    if any(not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell) for cell in row.values()):
        return Finding("not-utf8")
    severity = row.setdefault("severity", "").lower()
    if severity == TEST:
        return Finding("not-paired", "$.severity", "a test of the annotator, with an error put in on purpose")
    if severity not in SEVERITIES and (severity or row.setdefault("category", "")):
        known = ", ".join(SEVERITIES)
        return Finding("wrong-structure", "$.severity", f"{row['severity']!r} is not one of {known}")
    row.setdefault("category", "")
    return None


def lonely(translations: dict[str, Translation]) -> Finding:
    """Say why a translation is in no pair."""
    if len(translations) == 1:
        return Finding("not-paired", "$.target", "the only translation of its segment")
    return Finding("small-margin", "$.severity", "no other translation's penalty differs by data.min_margin")
