"""The difference of two answers: by words where words are spaced, by characters in Chinese and Japanese."""

import re
from difflib import SequenceMatcher

Piece = tuple[str, str]  # "=", "-" or "+", and the text

UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # scripts without spaces
# A character of such a script, a word, or any other character; each with the spaces before it. Spaces of their own
# would all be equal, and matching them would take most of the time.
TOKEN = re.compile(rf"\s*(?:[{UNSPACED}]|[^\W{UNSPACED}]+|.)", re.DOTALL)
SPACES = re.compile(r"\s*")
LONG = 400  # tokens; beyond it, frequent tokens are not searched for, which is faster and less exact
ALIKE = 0.35  # texts that share less are shown as entirely different


def diff_answers(old: str, new: str) -> list[Piece]:
    """Return the pieces of both texts: common ones, those only in the old text, those only in the new text."""
    if old == new:
        return drop_empty([("=", old)])
    before, after = TOKEN.findall(old), TOKEN.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=max(len(before), len(after)) > LONG)
    if matcher.ratio() < ALIKE:
        return drop_empty([("-", old), ("+", new)])
    pieces: list[Piece] = []
    for _, start, end, start_new, end_new in matcher.get_opcodes():
        pieces += split_change("".join(before[start:end]), "".join(after[start_new:end_new]))
    return join_alike(drop_empty(pieces))


def split_change(removed: str, added: str) -> list[Piece]:
    """Return the pieces of a place in both texts; spaces at the beginning of both are not a change."""
    if removed == added:
        return [("=", removed)]
    spaces = SPACES.match(removed)[0]  # type: ignore[index]
    common = len(spaces) if added.startswith(spaces) else 0
    return [("=", removed[:common]), ("-", removed[common:]), ("+", added[common:])]


def drop_empty(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces whose text is not empty."""
    return [piece for piece in pieces if piece[1]]


def join_alike(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces, with neighbours of the same kind joined."""
    joined: list[Piece] = []
    for kind, text in pieces:
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined
