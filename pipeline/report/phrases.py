"""Sentences that a run's files hold in English, such as what a gate saw, in every language of the page.

A message `phrase.…` in English is the sentence as the file holds it. A sentence without one stays as it is.
"""

import re
from functools import cache

from markupsafe import Markup

from pipeline.report.messages import LANGUAGES, read_messages, say, say_in_all

PREFIX = "phrase."
PLACE = re.compile(r"\\{(\w+)\\}")


@cache
def read_phrases() -> dict[str, re.Pattern[str]]:
    """Return the pattern of each sentence by its key; what is more special comes first in the messages."""
    english = read_messages(next(iter(LANGUAGES)))
    return {
        key: re.compile(PLACE.sub(r"(?P<\1>[^;]+?)", re.escape(text)))
        for key, text in english.items()
        if key.startswith(PREFIX)
    }


def find_phrase(text: str) -> tuple[str, dict[str, str]] | None:
    """Return the key of a sentence, and what stands in its places."""
    found = ((key, pattern.fullmatch(text)) for key, pattern in read_phrases().items())
    return next(((key, match.groupdict()) for key, match in found if match), None)


def say_phrase(language: str, text: str) -> str:
    """Return a sentence in a language."""
    found = find_phrase(text)
    return say(language, found[0], **found[1]) if found else text


def phrase_in_all(text: object) -> Markup:
    """Return a sentence, or a number, in every language."""
    found = find_phrase(str(text))
    return say_in_all(found[0], **found[1]) if found else Markup('<span lang="en">{}</span>').format(text)
