"""verdict.py: the sentence on top of a report says what the paired comparison carries."""

import re

import pytest

from pipeline.report.curves import Chart
from pipeline.report.page import environment
from pipeline.report.report_values import about_own, pick_headline
from pipeline.report.verdict import find_verdicts

SIDES = {"base": {"value": 0.475, "n": 120}, "dpo": {"value": 1.0, "n": 120}}
BETTER = {"value": 0.525, "n": 120, "low": 0.431, "high": 0.612, "p": 0.001}
UNCLEAR = BETTER | {"value": 0.01, "low": -0.02, "high": 0.05}
WORSE = BETTER | {"value": -0.1, "low": -0.2, "high": -0.05}
NO_INTERVAL = BETTER | {"low": None, "high": None}
OPEN = {"value": None, "n": 0, "low": None, "high": None, "p": None}


def metrics(better: dict[str, str | None], **changes: dict) -> dict:
    """Return metrics.json with these differences: of own figures, of chrF, and of preference accuracy."""
    answers = {model: dict.fromkeys([*better, "chrf", "empty"], figure) for model, figure in SIDES.items()}
    pairs = {model: {"preference_accuracy": figure} for model, figure in SIDES.items()}
    found = {"models": list(SIDES), "answers": answers, "pairs": pairs, "better": better}
    return found | {"comparisons": {"dpo-base": changes}}


def decide(found: dict, answers_per_prompt: int = 1) -> tuple[str, str, str] | None:
    """Return the first verdict's word, its figure, and what it counts."""
    verdicts = [
        (verdict["word"], verdict["name"], verdict["rows"]) for verdict in find_verdicts(found, answers_per_prompt)
    ]
    return verdicts[0] if verdicts else None


@pytest.mark.parametrize(
    ("change", "direction", "word"),
    [
        (BETTER, "higher", "better"),
        (BETTER, "lower", "worse"),
        (WORSE, "higher", "worse"),
        (WORSE, "lower", "better"),
        (UNCLEAR, "higher", "unclear"),
        (NO_INTERVAL, "higher", "unclear"),
        (UNCLEAR | {"value": 0, "low": None, "high": None}, "higher", "unclear"),
        (BETTER | {"low": 0.0}, "higher", "unclear"),
    ],
)
def test_the_word_is_what_the_interval_of_the_difference_says(change, direction, word):
    assert decide(metrics({"exact": direction}, exact=change)) == (word, "exact", "prompts")


def test_a_figure_of_ones_own_decides_though_pairs_say_otherwise():
    assert decide(metrics({"exact": "higher"}, exact=UNCLEAR, preference_accuracy=BETTER))[:2] == ("unclear", "exact")


@pytest.mark.parametrize("changes", [{}, {"exact": OPEN}], ids=["not compared", "of no row"])
def test_pairs_decide_where_no_figure_of_ones_own_was_compared(changes):
    found = metrics({"exact": "higher"}, preference_accuracy=BETTER, **changes)
    assert decide(found) == ("better", "preference_accuracy", "pairs")


def test_a_figure_of_which_neither_way_is_better_decides_nothing():
    found = metrics({"length": None, "exact": "higher"}, length=BETTER, exact=WORSE)
    assert decide(found)[:2] == ("worse", "exact")


def test_other_scores_and_an_evaluation_of_nothing_carry_no_verdict():
    assert decide(metrics({}, chrf=BETTER)) is None
    assert decide({"models": ["base", "dpo"]}) is None


def test_several_answers_to_a_prompt_are_counted_as_answers():
    assert decide(metrics({"exact": "higher"}, exact=BETTER), answers_per_prompt=4)[2] == "answers"


def test_what_got_worse_beside_is_named():
    found = metrics({"exact": "higher"}, exact=BETTER, chrf=WORSE, empty=BETTER, preference_accuracy=UNCLEAR)
    assert find_verdicts(found, 1)[0]["worse"] == ["chrf", "empty"]


def test_dpo_is_compared_with_the_base_model_and_then_with_the_sft_before_it():
    found = metrics({"exact": "higher"}, exact=BETTER)
    found["models"].insert(1, "sft")
    found["answers"]["sft"] = {"exact": SIDES["base"]}
    found["comparisons"]["dpo-sft"] = {"exact": UNCLEAR}
    said = [(verdict["models"], verdict["word"]) for verdict in find_verdicts(found, 1)]
    assert said == [(["base", "dpo"], "better"), (["sft", "dpo"], "unclear")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            BETTER,
            "Better, DPO against Base: on 120 held-out prompts, exact (higher is better) went from 0.475 to 1.000: "
            "a difference of +0.525, 95 % interval [+0.431, +0.612].",
        ),
        (
            UNCLEAR,
            "Unclear, DPO against Base: on 120 held-out prompts, exact (higher is better) went from 0.475 to 1.000: "
            "a difference of +0.010, 95 % interval [−0.020, +0.050], which holds 0.",
        ),
        (
            NO_INTERVAL,
            "Unclear, DPO against Base: on 120 held-out prompts, exact (higher is better) went from 0.475 to 1.000. "
            "They say too little for an interval.",
        ),
    ],
    ids=["decided", "unclear", "no interval"],
)
def test_the_sentence_names_models_figure_rows_both_values_and_the_interval(change, sentence):
    found = find_verdicts(metrics({"exact": "higher"}, exact=change), 1)[0]
    text = environment().get_template("parts.html").module.verdict(found)
    assert " ".join(re.sub("<[^>]*>", "", drop_chinese(str(text))).split()) == sentence


def drop_chinese(text: str) -> str:
    """Return a text without its elements in Chinese, which may hold others."""
    while found := re.search(r'<span class="zh"', text):
        depth, end = 0, found.start()
        for tag in re.finditer(r"<(/?)span[^>]*>", text[found.start() :]):
            depth += -1 if tag[1] else 1
            if not depth:
                end = found.start() + tag.end()
                break
        text = text[: found.start()] + text[end:]
    return text


@pytest.mark.parametrize(
    ("names", "first"),
    [(["loss", "reward_accuracy"], ["reward_accuracy"]), (["loss", "learning_rate"], ["loss"]), ([], [])],
)
def test_the_first_chart_is_reward_accuracy_or_else_the_loss(names, first):
    assert pick_headline([Chart(name, []).file for name in names]) == first


def test_a_figure_of_ones_own_is_explained_by_its_function_and_those_of_the_default_run_in_words():
    own = [
        {"name": "polite", "function": "metrics/mine.py:is_exact"},
        {"name": "exact", "function": "pipeline/interface_strings/habit.py:is_exact"},
    ]
    about = about_own(own)
    assert "metrics/mine.py:is_exact" in about["polite"] and "letter for letter" in about["exact"]
