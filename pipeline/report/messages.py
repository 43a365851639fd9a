"""The texts of the report in each language: one file of messages for each, all with the same keys."""

import json
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

FOLDER = Path(__file__).parent / "messages"
LANGUAGES = {"en": "en", "zh": "zh-Hans"}  # the file's name, and the language as HTML names it


@cache
def read_messages(language: str) -> dict[str, str]:
    """Return the messages of a language by key."""
    messages: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return messages


def say(language: str, key: str, **values: object) -> str:
    """Return a message as plain text, with values in its places. An unknown key is a KeyError."""
    return read_messages(language)[key].format(**values)


def say_in_all(key: str, **values: object) -> Markup:
    """Return a message in every language, each in an element of its own; the page shows one of them.

    Values are escaped, unless they are Markup.
    """
    parts = [
        Markup('<span class="{}" lang="{}">{}</span>').format(
            language, code, Markup(escape(read_messages(language)[key])).format(**values)
        )
        for language, code in LANGUAGES.items()
    ]
    return Markup("").join(parts)


def say_in_attributes(name: str, key: str, **values: object) -> Markup:
    """Return an attribute in the first language, and its text in all languages for the page's script.

    `name` is the attribute, or "text" for the text of an element that can hold only text, such as an option.
    """
    return words_in_attributes(name, {language: say(language, key, **values) for language in LANGUAGES})


def words_in_attributes(name: str, words: dict[str, str]) -> Markup:
    """Return an attribute as say_in_attributes does, from texts by language."""
    own = [] if name == "text" else [Markup('{}="{}"').format(name, next(iter(words.values())))]
    return Markup(" ").join(
        [*own, *(Markup('data-{}-{}="{}"').format(name, language, text) for language, text in words.items())]
    )


def say_name(language: str, kind: str, name: str) -> str:
    """Return the name to show for something; if there is no message, its own name."""
    return read_messages(language).get(f"{kind}.{name}", name)


def name_in_all(kind: str, name: str) -> Markup:
    """Return the name to show for something in every language; if there is no message, its own name."""
    return say_in_all(f"{kind}.{name}") if has_message(f"{kind}.{name}") else Markup("<code>{}</code>").format(name)


def has_message(key: str) -> bool:
    """Return whether a message exists."""
    return key in read_messages(next(iter(LANGUAGES)))


def messages_for_script() -> dict[str, dict[str, str]]:
    """Return the messages that the page's script uses, by language and key without `js.`; models have names too."""
    return {
        language: {
            key.removeprefix("js."): text
            for key, text in read_messages(language).items()
            if key.startswith(("js.", "model."))
        }
        for language in LANGUAGES
    }
