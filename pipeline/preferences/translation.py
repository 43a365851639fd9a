"""Checks of translation pairs: are the languages the declared ones, and is everything kept that must be?"""

import re
from collections import Counter
from typing import Literal

import polars as pl

from pipeline.preferences.checks import ANALYSIS, PairCheck, final_of

# Scripts of the languages that can be told apart by letters. Languages that are not here are written in Latin.
SCRIPTS = {
    "ar": "Arabic",
    "el": "Greek",
    "fa": "Arabic",
    "he": "Hebrew",
    "hi": "Devanagari",
    "ja": "Japanese",
    "ko": "Hangul",
    "ru": "Cyrillic",
    "th": "Thai",
    "uk": "Cyrillic",
    "zh": "Han",
}
LETTERS = {
    "Arabic": "\u0600-\u06ff\u0750-\u077f",
    "Cyrillic": "\u0400-\u04ff",
    "Devanagari": "\u0900-\u097f",
    "Greek": "\u0370-\u03ff",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff",
    "Hangul": "\u1100-\u11ff\uac00-\ud7af",
    "Hebrew": "\u0590-\u05ff",
    "Japanese": "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff",
    "Latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    "Thai": "\u0e00-\u0e7f",
}
ANY_LETTER = "".join(LETTERS.values())

PLACEHOLDER = re.compile(r"\$?\{\{?[\w.]+\}?\}|%(?:\d+\$)?[sdif](?![A-Za-z0-9_])|%\(\w+\)[sd]|\$\d+")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
TAG = re.compile(r"</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>")
URL = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*[A-Za-z0-9/#=]")

QUESTION, CHOSEN = pl.col("question"), pl.col("chosen")


def find_lost(pattern: re.Pattern[str], question: str, chosen: str) -> list[str]:
    """Return the items of a kind that the source has and the answer lacks, as often as each is missing."""
    kept = Counter(normalise(found[0]) for found in pattern.finditer(chosen))
    asked = Counter(normalise(found[0]) for found in pattern.finditer(question))
    return list((asked - kept).elements())


def normalise(found: str) -> str:
    """Return a number without the commas between its thousands; return other items unchanged."""
    return re.sub(r",(?=\d{3}\b)", "", found) if found[:1].isdigit() else found


def lost_check(code: str, sign: str, pattern: re.Pattern[str]) -> PairCheck:
    """Return the check that the chosen answer keeps what the pattern finds in its source."""

    def decide(question: str, chosen: str, rejected: str) -> str | None:
        lost = find_lost(pattern, question, final_of(chosen))
        return f"{', '.join(lost)} of the source is missing" if lost else None

    return PairCheck(code, QUESTION.str.contains(sign), decide, "chosen")


def letters_of(language: str) -> str:
    """Return the letters of a language's script, as the inside of a character class."""
    return LETTERS[SCRIPTS.get(language, "Latin")]


def language_check(language: str, at: Literal["question", "chosen"], foreign: str | None) -> PairCheck:
    """Return the check that a text has letters of its language's script, and none of `foreign`."""
    own = re.compile(f"[{letters_of(language)}]")
    any_letter = re.compile(f"[{ANY_LETTER}]")
    other = re.compile(f"[{foreign}]") if foreign else None

    def decide(question: str, chosen: str, rejected: str) -> str | None:
        text = {"question": question, "chosen": final_of(chosen)}[at]
        if any_letter.search(text) and not own.search(text):
            return f"no letter of the script of {language}"
        if other and (found := other.search(text)):
            return f"{found[0]!r} is not of the script of {language}"
        return None

    text = pl.col(at)
    screen = ~text.str.contains(own.pattern)
    screen = screen | text.str.contains(other.pattern) if other else screen
    return PairCheck("wrong-language", screen | text.str.starts_with(ANALYSIS), decide, at)


def translation_checks(source: str, target: str) -> tuple[PairCheck, ...]:
    """Return the checks of translations from one language into another (ISO 639-1).

    The translation is the final answer, without the thinking before it. An answer may not hold letters of its source's
    script, unless the target is written with them too, or the source is in Latin letters, which names and code keep
    everywhere.
    """
    scripts = [SCRIPTS.get(language, "Latin") for language in (source, target)]
    apart = scripts[0] not in ("Latin", scripts[1]) and set(scripts) != {"Han", "Japanese"}
    mixed = letters_of(source) if apart else None
    return (
        language_check(source, "question", None),
        language_check(target, "chosen", mixed),
        lost_check("lost-placeholder", r"[{%$]", PLACEHOLDER),
        lost_check("lost-number", r"\d", NUMBER),
        lost_check("lost-tag", "<", TAG),
        lost_check("lost-url", "http", URL),
    )
