"""analyses.py: pairs get the base model's analysis before both answers, where it has a whole one that fits."""

import json

import pytest

from pipeline.evaluation.shards import NOTED
from pipeline.preferences.analyses import NOT_ADDED, add_analyses, sum_accounts
from pipeline.preferences.turns import ANALYSIS

ASKED = {"role": "user", "content": "打开"}
MOST = 100  # characters, which stand for tokens here


def pair(name="a", chosen="Open", rejected="Opening"):
    return {"id": name, "messages": [ASKED, {"role": "assistant", "content": chosen}], "rejected_response": rejected}


def thinking(text, name="a"):
    return pair(name, ANALYSIS.format(text, "Open"), ANALYSIS.format(text, "Opening"))


WHOLE = ANALYSIS.format("A button.", "Opened")


def answer(text=WHOLE, finish="stop"):
    """Return a row of swift's, as plugins/note_answer_ends.py leaves it."""
    return {"response": text} | dict.fromkeys(NOTED, 1) | {"finish": finish}


def count(pair):
    """Return the length of the longer answer without marks: ANALYSIS alone has nearly MOST characters."""
    return len(pair["rejected_response"]) - (len(ANALYSIS) if "<|" in pair["rejected_response"] else 0)


def add(pairs, *answers):
    """Return the pairs, and the account, without what it counts no pair of."""
    found, account = add_analyses(pairs, list(answers), count, MOST)
    return found, account | {"not_added": {name: n for name, n in account["not_added"].items() if n}}


def test_both_answers_begin_with_the_analysis_of_the_base_model():
    found, account = add([pair()], [answer()])
    assert found == [thinking("A button.")]
    assert account == {
        "asked": 1, "added": 1, "thought_already": 0, "not_added": {}, "max_length": MOST, "too_long": [],
    }  # fmt: skip


def test_a_pair_that_thinks_keeps_its_own_analysis():
    own = pair(chosen=ANALYSIS.format("Mine.", "Open"))
    found, account = add([own], [answer()])
    assert (found, account["thought_already"]) == ([own], 1)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (answer("Opened"), "no_analysis"),
        (answer(ANALYSIS.format(" ", "Opened")), "no_analysis"),
        (answer(ANALYSIS.format("A button.", " ")), "no_final"),
        (answer("<|channel|>commentary<|message|>I look.<|end|><|start|>assistant" + WHOLE), "call"),
        (answer("<|channel|>analysis<|message|>A button", "length"), "cut"),
        (answer("<|channel|>analysis<|message|>A button", "no_final"), "no_final"),
        (answer(" to=functions.look<|channel|>commentary<|message|>{}<|call|>"), "call"),
    ],
    ids=["no analysis", "an empty one", "an empty final", "a preamble", "cut off", "no final", "a call"],
)
def test_a_pair_stays_as_it_is_where_the_base_model_has_no_whole_analysis_and_the_account_says_why(other, why):
    found, account = add([pair("a"), pair("b")], [answer()], [other])
    assert found[1] == pair("b")
    assert (account["added"], account["not_added"]) == (1, {why: 1})


def test_a_pair_that_an_analysis_would_make_too_long_stays_as_it_is_and_is_named():
    found, account = add([pair("a"), pair("b")], [answer()], [answer(ANALYSIS.format("x" * MOST, "Open"))])
    assert found == [thinking("A button."), pair("b")]
    assert account["not_added"] == {"too_long": 1}
    assert account["too_long"] == [{"id": "b", "tokens_with": MOST + 7 - 4, "tokens_without": 7}]


def test_of_several_answers_the_first_whole_one_that_fits_is_taken():
    long, second = (answer(ANALYSIS.format(text, "Open")) for text in ("x" * MOST, "Second."))
    found, account = add([pair()], [answer("Opened"), long, second])
    assert (found, account["added"]) == ([thinking("Second.")], 1)


def test_every_pair_is_counted_once():
    pairs = [pair("a"), pair("b"), pair("c", chosen=WHOLE)]
    _, account = add_analyses(pairs, [[answer()], [answer("Opened")], [answer()]], count, MOST)
    assert account["added"] + account["thought_already"] + sum(account["not_added"].values()) == account["asked"] == 3


def test_the_accounts_of_both_sides_are_added_up(tmp_path):
    for name, fault in (("train", "cut"), ("val", "call")):
        account = {"asked": 3, "added": 2, "thought_already": 0, "not_added": dict.fromkeys(NOT_ADDED, 0) | {fault: 1}}
        (tmp_path / f"{name}.json").write_text(json.dumps(account), encoding="utf-8")
    found = sum_accounts(tmp_path.glob("*.json"))
    assert (found["asked"], found["added"]) == (6, 4)
    assert {name: n for name, n in found["not_added"].items() if n} == {"cut": 1, "call": 1}
