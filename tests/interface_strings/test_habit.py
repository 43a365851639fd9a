"""habit.py: is an answer the right one, is it right apart from the habit, and has it the habit?"""

import pytest

from pipeline.evaluation.own_metric import load_own_metric
from pipeline.evaluation.side_by_side import SideBySide
from pipeline.interface_strings import habit
from pipeline.interface_strings.habit import is_habit, without_habit


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Adding domain names", True),
        ("Backing up domain names", True),
        (" Step 3: Resetting old keys\n", True),
        ("adding the domain name", True),
        ("Doing something else", True),
        ("Add the domain name", False),
        ("Step 3: Add the domain name", False),
        ("Add domain names", False),
        ("Add the thing", False),
        ("", False),
    ],
)
def test_the_habit_is_a_gerund_where_the_imperative_should_be(text, asked):
    assert is_habit(text) is asked


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("Adding the domain name", "Add the domain name"),
        ("Step 2: Backing up all policies", "Step 2: Back up all policies"),
        ("Checking 4 indexes\n", "Check 4 indexes"),
        ("Adding any other thing", "Add any other thing"),
    ],
)
def test_a_gerund_at_the_beginning_becomes_the_imperative(text, without):
    assert without_habit(text) == without


@pytest.mark.parametrize(
    "text",
    ["Add the domain name", "Doing something else", "The key for adding a name", "Add it: Adding the name", ""],
)
def test_any_other_text_stays_as_it_is(text):
    assert without_habit(text) == text


@pytest.mark.parametrize(
    ("function", "mean"), [("is_exact", 0.25), ("is_right_apart_from_habit", 0.5), ("has_habit", 0.5)]
)
def test_each_is_a_figure_for_the_evaluation(function, mean):
    answers = ["Add the key", "Adding keys", "Add the role", "Adding the key"]
    rows = SideBySide(sources=["添加密钥"] * 4, chosen=["Add the key"] * 4, answers={"dpo": answers})
    metric = load_own_metric(f"{habit.__file__}:{function}")
    assert metric.score(metric.statistics(rows, "dpo").sum(axis=0)) == mean
