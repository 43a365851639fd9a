"""The words of the strings, as lexicon.yaml lists them."""

from pathlib import Path
from typing import NamedTuple

import yaml


class Verb(NamedTuple):
    """A verb, in small letters."""

    chinese: str
    imperative: str
    gerund: str


class Noun(NamedTuple):
    """A thing that can be counted."""

    chinese: str
    measure: str
    singular: str
    plural: str


class Word(NamedTuple):
    """A word of one form."""

    chinese: str
    english: str


LISTS: dict[str, list[list[str]]] = yaml.safe_load(Path(__file__).with_name("lexicon.yaml").read_text(encoding="utf-8"))
VERBS = [Verb(*row) for row in LISTS["verbs"]]
NOUNS = [Noun(*row) for row in LISTS["nouns"]]
ADJECTIVES = [Word(*row) for row in LISTS["adjectives"]]
PLACES = [Word(*row) for row in LISTS["places"]]
NUMERALS = dict(enumerate("一二三四五六七八九", start=1))
