"""Is a translation the right one, is it right apart from the habit of the base model, and has it the habit?

The habit is a gerund in place of an imperative ("Step 1: Adding the domain name"). The last three functions are figures
for `evaluate.own` (docs/evaluation.md).
"""

import re

from pipeline.interface_strings.lexicon import VERBS

BEFORE = r"(?:(?:Step|Task) \d+: )?"
HABIT = re.compile(rf"{BEFORE}\w+ing\b", re.IGNORECASE)
IMPERATIVES = {verb.gerund.capitalize(): verb.imperative.capitalize() for verb in VERBS}
KNOWN_HABIT = re.compile(rf"^(?P<before>{BEFORE})(?P<verb>{'|'.join(IMPERATIVES)})\b")


def is_habit(text: str) -> bool:
    """Say whether a text begins with a gerund, after the number of a step or a task if it has one."""
    return HABIT.match(text.strip()) is not None


def without_habit(text: str) -> str:
    """Return a text whose first verb is a gerund with the imperative instead; any other text as it is."""
    return KNOWN_HABIT.sub(lambda found: found["before"] + IMPERATIVES[found["verb"]], text.strip())


def is_exact(source: str, answer: str, chosen: str) -> float:
    """Return 1 for an answer that is the chosen one, and 0 for another one."""
    return float(answer.strip() == chosen)


def is_right_apart_from_habit(source: str, answer: str, chosen: str) -> float:
    """Return 1 for an answer that is the chosen one, apart from the habit, and 0 for another one."""
    return float(without_habit(answer) == chosen)


def has_habit(source: str, answer: str, chosen: str) -> float:
    """Return 1 for an answer with the habit, and 0 for another one."""
    return float(is_habit(answer))
