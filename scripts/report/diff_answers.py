"""The difference of two answers: by words where words are spaced, by characters in Chinese and Japanese."""

import re
from difflib import SequenceMatcher

Piece = tuple[str, str]  # "=", "-" or "+", and the text

# A character of a script without spaces, a word, a run of spaces, or any other character.
TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+|\s+|.",
    re.DOTALL,
)
LONG = 1000  # tokens; beyond it, frequent tokens are not searched for, which is faster and less exact
ALIKE = 0.35  # of texts that share less, showing what they share helps nobody


def diff_answers(old: str, new: str) -> list[Piece]:
    """Return the pieces of both texts: common, of the old one alone, of the new one alone."""
    if old == new:
        return [("=", old)] if old else []
    before, after = TOKEN.findall(old), TOKEN.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=max(len(before), len(after)) > LONG)
    if matcher.ratio() < ALIKE:
        return drop_empty([("-", old), ("+", new)])
    pieces: list[Piece] = []
    for kind, start, end, start_new, end_new in matcher.get_opcodes():
        removed, added = "".join(before[start:end]), "".join(after[start_new:end_new])
        pieces += [("=", removed)] if kind == "equal" else [("-", removed), ("+", added)]
    return join_gaps(drop_empty(pieces))


def drop_empty(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces that have a text."""
    return [piece for piece in pieces if piece[1]]


def join_gaps(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with spaces between two changes made a part of them: changed words read as one phrase."""
    joined: list[Piece] = []
    removed = added = ""
    for number, (kind, text) in enumerate(pieces):
        is_gap = kind == "=" and text.isspace() and (removed or added) and number + 1 < len(pieces)
        if kind == "=" and not is_gap:
            joined += [("-", removed), ("+", added), ("=", text)]
            removed = added = ""
        else:
            removed += text if kind in "-=" else ""
            added += text if kind in "+=" else ""
    return drop_empty([*joined, ("-", removed), ("+", added)])
