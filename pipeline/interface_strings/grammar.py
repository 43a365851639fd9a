"""The grammar of the strings: a pattern of patterns.yaml, filled with words, in Chinese and in both English forms."""

from pathlib import Path
from typing import NamedTuple

import yaml

from pipeline.interface_strings.lexicon import NUMERALS, Noun, Verb, Word

Combination = tuple[Verb, Noun]


class Words(NamedTuple):
    """The words for a pattern, which takes those that it has a place for."""

    verb: Verb
    noun: Noun
    adjective: Word
    place: Word
    number: int  # of things
    step: int


class InterfaceString(NamedTuple):
    """A string of an interface or a manual, and both forms of its translation."""

    pattern: str
    chinese: str
    imperative: str
    gerund: str
    taught: str  # the form that the base model learns
    thinking: str | None  # before either form


class Pattern(NamedTuple):
    """A kind of strings, with places for words in braces."""

    name: str
    chinese: str
    english: str
    taught: str  # imperative or gerund
    thinking: str | None = None

    def fill(self, words: Words) -> InterfaceString:
        """Return the string with these words."""
        chinese = self.chinese.format_map(chinese_fields(words))
        english = english_fields(words)
        forms = {
            form: self.english.format(verb=getattr(words.verb, form).capitalize(), **english)
            for form in ("imperative", "gerund")
        }
        thinking = self.thinking and self.thinking.format(**english)
        return InterfaceString(self.name, chinese, **forms, taught=forms[self.taught], thinking=thinking)


def chinese_fields(words: Words) -> dict[str, str]:
    """Return the Chinese words by the names of their places."""
    named = {name: getattr(words, name).chinese for name in ("verb", "noun", "adjective", "place")}
    return named | {"measure": words.noun.measure, "number": str(words.number), "step": NUMERALS[words.step]}


def english_fields(words: Words) -> dict[str, str]:
    """Return the English words, all but the verb, by the names of their places."""
    return {
        "noun": words.noun.singular,
        "nouns": words.noun.plural,
        "adjective": words.adjective.english,
        "place": words.place.english,
        "number": str(words.number),
        "step": str(words.step),
    }


PATTERNS = [
    Pattern(name, **forms)
    for name, forms in yaml.safe_load(Path(__file__).with_name("patterns.yaml").read_text(encoding="utf-8")).items()
]
