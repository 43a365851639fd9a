"""Figures counted row by row: parts of the source kept in the answer, length ratio, empty answers, refusals."""

import csv
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.side_by_side import SideBySide
from pipeline.preferences.translation import NUMBER, PLACEHOLDER, TAG, URL, find_lost

Statistics = NDArray[np.float64]
KEPT = {"numbers_kept": NUMBER, "placeholders_kept": PLACEHOLDER, "tags_kept": TAG, "urls_kept": URL}
# Refusals in English and Chinese. Those in other languages are not found.
CANNOT = r"\b(?:can['’]?t|cannot|unable|not able)\b"
REFUSAL = re.compile(
    rf"^\W*(?:I['’]?m (?:very )?sorry|I am (?:very )?sorry|Sorry|I apologi[sz]e)\b.{{0,80}}?{CANNOT}"
    rf"|^\W*I(?: am|['’]m)? ?(?:{CANNOT} to|{CANNOT}|won['’]?t) (?:help|assist|comply|translate|provide|do)\b"
    r"|^\W*As an AI\b|^\W*作为(?:一个|一名)?(?:AI|人工智能)"
    r"|^\W*(?:很?抱歉|对不起).{0,30}?(?:不能|无法|不可以)|^\W*我(?:不能|无法)(?:帮|提供|翻译|协助)",
    re.IGNORECASE | re.DOTALL,
)


class Ratio:
    """A share or a ratio: the sum of one count over the rows, divided by the sum of another."""

    unit = "share"

    def __init__(self, count: Callable[[str, str, str], tuple[float, float] | None], unit: str = unit) -> None:
        """Take a function from source, answer and chosen answer to both counts; None where it does not apply."""
        self.count = count
        self.unit = unit

    def statistics(self, rows: SideBySide, model: str) -> Statistics:
        """Return, rows x 2: both counts; NaN where the figure does not apply."""
        texts = zip(rows.sources, rows.answers[model], rows.chosen, strict=True)
        return np.array([self.count(*row) or (np.nan, np.nan) for row in texts], np.float64)

    def score(self, sums: Statistics) -> float:
        """Return the ratio of sums."""
        return float(sums[0] / sums[1]) if sums[1] else float("nan")


def keeps(pattern: re.Pattern[str]) -> Ratio:
    """Return the share of a pattern's matches in the sources that are in the answers too."""

    def count(source: str, answer: str, chosen: str) -> tuple[float, float] | None:
        asked = sum(1 for _ in pattern.finditer(source))
        return (asked - len(find_lost(pattern, source, answer)), asked) if asked else None

    return Ratio(count)


def hits(terms: list[tuple[str, str]]) -> Ratio:
    """Return the share of the terms in the sources whose translation is in the answer, in large letters or small."""

    def count(source: str, answer: str, chosen: str) -> tuple[float, float] | None:
        asked = [wanted for term, wanted in terms if term in source]
        return (sum(wanted.casefold() in answer.casefold() for wanted in asked), len(asked)) if asked else None

    return Ratio(count)


def read_terms(path: Path) -> list[tuple[str, str]]:
    """Return source terms and their translations, from a UTF-8 table with a tab between its two columns."""
    try:
        with path.open(encoding="utf-8", newline="") as table:
            rows = [row for row in csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        sys.exit(f"{path}: not a table in UTF-8 ({error}); write a term, a tab and its translation on each line")
    for number, row in enumerate(rows, 1):
        if len(row) != 2 or not all(cell.strip() for cell in row):
            sys.exit(f"{path}, line {number}: not a term and its translation with a tab between them")
    return [(term.strip(), wanted.strip()) for term, wanted in rows]


def general_metrics() -> dict[str, Ratio]:
    """Return the figures that make sense for any answer."""
    return {
        "length_ratio": Ratio(
            lambda source, answer, chosen: (len(answer), len(chosen)), "characters of the chosen answer"
        ),
        "empty": Ratio(lambda source, answer, chosen: (not answer.strip(), 1)),
        "refusals": Ratio(lambda source, answer, chosen: (bool(REFUSAL.search(answer)), 1)),
    }


def translation_metrics() -> dict[str, Ratio]:
    """Return the figures of the parts of a source that a translation must keep."""
    return {name: keeps(pattern) for name, pattern in KEPT.items()}
