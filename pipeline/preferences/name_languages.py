"""Find the languages of pairs whose prompts ask, in words, for a translation from one language into another."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

NAMES = {
    **{"Arabic": "ar", "Czech": "cs", "German": "de", "Greek": "el", "English": "en", "Spanish": "es", "Persian": "fa"},
    **{"Finnish": "fi", "French": "fr", "Hebrew": "he", "Hindi": "hi", "Indonesian": "id", "Italian": "it"},
    **{"Japanese": "ja", "Korean": "ko", "Dutch": "nl", "Polish": "pl", "Portuguese": "pt", "Russian": "ru"},
    **{"Swedish": "sv", "Thai": "th", "Turkish": "tr", "Ukrainian": "uk", "Vietnamese": "vi", "Chinese": "zh"},
}
NAME = "|".join(NAMES)
ASKED = re.compile(rf"\btranslat.{{0,200}}?\b(?:from )?({NAME}) (?:in)?to ({NAME})\b", re.IGNORECASE | re.DOTALL)


def find_languages(pairs: Iterable[dict[str, Any]]) -> dict[str, str] | None:
    """Return data.languages of pairs that are translations by their own prompts.

    None unless more than half name two languages, and none of them others.
    """
    asked = Counter(map(asked_of, pairs))
    named = [languages for languages in asked if languages]
    if len(named) != 1 or asked[None] >= asked[named[0]]:
        return None
    return dict(zip(("source", "target"), named[0], strict=True))


def asked_of(pair: dict[str, Any]) -> tuple[str, str] | None:
    """Return the languages from and into which the prompt of a pair asks for a translation."""
    said = "\n".join(message["content"] for message in pair["messages"][:-1])
    found = ASKED.search(said)
    return (NAMES[found[1].capitalize()], NAMES[found[2].capitalize()]) if found else None
