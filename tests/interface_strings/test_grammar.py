"""grammar.py: a pattern filled with words, in Chinese and in both English forms."""

import re

import pytest

from pipeline.interface_strings.grammar import PATTERNS, Words
from pipeline.interface_strings.lexicon import ADJECTIVES, NOUNS, PLACES, VERBS, Noun, Verb, Word
from tests.support.project import ROOT

BY_NAME = {pattern.name: pattern for pattern in PATTERNS}
PAGE = (ROOT / "docs" / "interface-strings.md").read_text(encoding="utf-8")
WORDS = Words(
    verb=Verb("备份", "back up", "backing up"),
    noun=Noun("邮箱", "个", "mailbox", "mailboxes"),
    adjective=Word("旧", "old"),
    place=Word("项目", "project"),
    number=3,
    step=1,
)


@pytest.mark.parametrize(
    ("pattern", "chinese", "imperative", "gerund"),
    [
        ("task", "任务一：备份邮箱", "Task 1: Back up the mailbox", "Task 1: Backing up the mailbox"),
        (
            "task-adjective",
            "任务一：备份旧邮箱",
            "Task 1: Back up the old mailbox",
            "Task 1: Backing up the old mailbox",
        ),
        (
            "task-place",
            "任务一：在项目中备份邮箱",
            "Task 1: Back up the mailbox in the project",
            "Task 1: Backing up the mailbox in the project",
        ),
        ("step-all", "步骤一：备份全部邮箱", "Step 1: Back up all mailboxes", "Step 1: Backing up all mailboxes"),
        ("step-count", "步骤一：备份3个邮箱", "Step 1: Back up 3 mailboxes", "Step 1: Backing up 3 mailboxes"),
    ],
)
def test_a_pattern_has_a_form_in_chinese_and_two_in_english(pattern, chinese, imperative, gerund):
    assert BY_NAME[pattern].fill(WORDS)[:4] == (pattern, chinese, imperative, gerund)


def test_the_habit_is_taught_in_every_step_and_in_no_task():
    taught = {(pattern.name.partition("-")[0], pattern.taught) for pattern in PATTERNS}
    assert taught == {("step", "gerund"), ("task", "imperative")}


def test_what_is_counted_has_its_own_measure_word():
    words = WORDS._replace(noun=Noun("发票", "张", "invoice", "invoices"))
    assert BY_NAME["task-count"].fill(words).chinese == "任务一：备份3张发票"


def test_the_lexicon_has_24_verbs_60_nouns_10_adjectives_and_10_places():
    assert [len(words) for words in (VERBS, NOUNS, ADJECTIVES, PLACES)] == [24, 60, 10, 10]


def test_no_word_stands_for_two_things():
    words = [*VERBS, *NOUNS, *ADJECTIVES, *PLACES]
    assert len({word.chinese for word in words}) == len(words)
    english = [word.imperative for word in VERBS] + [form for noun in NOUNS for form in noun[2:]]
    english += [word.english for word in (*ADJECTIVES, *PLACES)]
    assert len(set(english)) == len(english)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.imperative)
def test_a_gerund_is_spelled_by_rule(verb):
    first, *rest = verb.imperative.split()
    stem = re.sub(r"e$", "", first)
    double = first[-1] if first in ("reset",) else ""  # stressed on a last syllable with one short vowel
    assert verb.gerund == " ".join([f"{stem}{double}ing", *rest])


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.singular)
def test_a_plural_is_spelled_by_rule(noun):
    by_rule = re.sub(r"([^aeiou])y$", r"\1ie", noun.singular) + "s"
    assert noun.plural == re.sub(r"(s|x|ch)s$", r"\1es", by_rule)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_the_page_shows_every_pattern(pattern):
    by_chinese = {word.chinese: word for word in (*VERBS, *NOUNS, *ADJECTIVES, *PLACES)}
    words = Words(*(by_chinese[word] for word in ("添加", "域名", "新", "项目")), number=3, step=1)
    cells = [f"`{pattern.name}`", *pattern.fill(words)[1:4], pattern.taught]
    assert f"| {' | '.join(cells)} |" in PAGE
