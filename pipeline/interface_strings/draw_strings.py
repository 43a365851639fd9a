"""Draw the strings of the pairs and of the base model's conversations: the same ones each time."""

import random
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple, TypeVar

from pipeline.interface_strings.grammar import PATTERNS, Combination, InterfaceString, Words
from pipeline.interface_strings.lexicon import ADJECTIVES, NOUNS, NUMERALS, PLACES, VERBS

SEED = 86  # with data.val_fraction 0.16 and data.split_seed 17, 120 pairs are held out, 31 of them unseen
PAIRS = 760
CONVERSATIONS = 4000
UNSEEN_COMBINATIONS = 0.12  # of all verbs with all nouns: the base model never sees them together
UNSEEN_PAIRS = 0.21  # of the pairs: each with one of those combinations, and none with that of another
NEUTRAL = 100

Item = TypeVar("Item")


class Drawn(NamedTuple):
    """The strings of a data set: of pairs with a combination of their own, of the other pairs, of conversations.

    The neutral ones are in none of these, and have neither the habit nor thinking: the base model learned their
    imperative, which DPO keeps.
    """

    unseen: list[InterfaceString]
    seen: list[InterfaceString]
    base: list[InterfaceString]
    neutral: list[InterfaceString]


class Draw:
    """Draws words and strings. Of Python's generator it uses random() alone, whose numbers no version changes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random
        combinations = [(verb, noun) for verb in VERBS for noun in NOUNS]
        combinations.sort(key=lambda _: self.random())
        unseen = round(UNSEEN_COMBINATIONS * len(combinations))
        self.unseen, self.seen = combinations[:unseen], combinations[unseen:]
        self.patterns = cycle(PATTERNS)
        self.taken: set[str] = set()  # the strings so far, in Chinese

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of some items."""
        return items[int(self.random() * len(items))]

    def words(self) -> Words:
        """Return words for any pattern."""
        return Words(
            self.pick(VERBS),
            self.pick(NOUNS),
            self.pick(ADJECTIVES),
            self.pick(PLACES),
            self.pick(range(2, 10)),
            self.pick(list(NUMERALS)),
        )

    def string(self, own: Combination | None = None) -> InterfaceString:
        """Return a new string of the next pattern, with this combination, or with any that is not unseen."""
        pattern = next(self.patterns)
        while True:
            words = self.words()
            if own:
                words = words._replace(verb=own[0], noun=own[1])
            string = pattern.fill(words)
            if (own or (words.verb, words.noun) not in self.unseen) and string.chinese not in self.taken:
                self.taken.add(string.chinese)
                return string


def draw_strings(seed: int = SEED) -> Drawn:
    """Return the strings that a seed draws, of all patterns in turn. The base sees every combination but the unseen.

    Strings with a combination of their own are drawn first, as some patterns have only one of each.
    """
    draw = Draw(seed)
    base = [draw.string(combination) for combination in draw.seen]
    unseen = [draw.string(combination) for combination in draw.unseen[: round(UNSEEN_PAIRS * PAIRS)]]
    seen = [draw.string() for _ in range(PAIRS - len(unseen))]
    base += [draw.string() for _ in range(CONVERSATIONS - len(base))]
    # Two of five patterns have neither the habit nor thinking.
    others = [draw.string() for _ in range(5 * NEUTRAL // 2)]
    neutral = [string for string in others if string.taught == string.imperative and not string.thinking]
    return Drawn(unseen, seen, base, neutral)
