"""draw_strings.py and rows.py: which strings are drawn, and what no training sees."""

import json
import re
from collections import Counter

import pytest

from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.interface_strings.draw_strings import draw_strings
from pipeline.interface_strings.grammar import PATTERNS
from pipeline.interface_strings.habit import is_habit, without_habit
from pipeline.interface_strings.lexicon import NOUNS, VERBS
from pipeline.interface_strings.rows import to_conversations, to_neutral, to_pairs
from pipeline.models.channels import split_channels
from scripts import split_preferences
from tests.support.conversion import ZH_EN, convert, read_pairs, read_quality
from tests.support.project import ROOT

DRAWN = draw_strings()
PAIRS = list(to_pairs(DRAWN))
CONVERSATIONS = list(to_conversations(DRAWN))


def combination_of(row: dict) -> tuple[str, str]:
    """Return the verb and its object in a row's string, as its Chinese text shows them."""
    clause = re.sub("^(步骤|任务).：(在.+中)?", "", row["messages"][1]["content"])
    (verb,) = [verb.chinese for verb in VERBS if clause.startswith(verb.chinese)]
    return verb, max((noun.chinese for noun in NOUNS if clause.endswith(noun.chinese)), key=len)


def finals(row: dict) -> tuple[str | None, ...]:
    """Return the final texts of both answers, raw or as they were read."""
    rejected = row["rejected_response"]
    texts = (row["messages"][-1]["content"], rejected if isinstance(rejected, str) else rejected[0]["content"])
    return tuple(split_channels(text)[1] for text in texts)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert the pairs as a run does; return the folder."""
    folder = tmp_path_factory.mktemp("converted")
    write_json_lines(folder / "raw.jsonl", PAIRS)
    assert convert(folder / "raw.jsonl", folder, languages=ZH_EN) is None
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["by prompt", "by tag"])
def sides(request, converted, tmp_path_factory):
    """Split the pairs as a run does; return the training pairs and the held-out ones."""
    out = tmp_path_factory.mktemp("split")
    data = {"val_fraction": 0.16, "val_max": None, "split_seed": 17, "split_by_tag": request.param}
    settings = json.dumps({"data": data})
    split_preferences.main([str(converted / "pairs.jsonl"), "--settings", settings, "--out", str(out)])
    return [read_json_lines(out / name) for name in ("train.jsonl", "val.jsonl")]


def test_every_pair_is_used_as_it_is(converted):
    assert [(row["id"], finals(row), row.get("chat_template_kwargs")) for row in read_pairs(converted)] == [
        (row["id"], finals(row), row.get("chat_template_kwargs")) for row in PAIRS
    ]
    assert set(read_quality(converted)["codes"]) == {"length-bias"}  # a gerund is longer


def test_120_pairs_are_held_out_which_processes_of_12_or_15_rows_divide(sides):
    assert len(sides[1]) == 120


def test_no_held_out_string_is_in_any_training(sides):
    train, val = ({row["messages"][1]["content"] for row in rows} for rows in sides)
    assert not val & (train | {row["messages"][1]["content"] for row in CONVERSATIONS})


def test_a_fifth_of_the_held_out_pairs_have_a_verb_and_a_noun_never_seen_together_in_any_training(sides):
    train, val = sides
    seen = {combination_of(row) for row in (*train, *CONVERSATIONS)}
    unseen = [row["id"] for row in val if combination_of(row) not in seen]
    assert len(unseen) >= 24
    assert unseen == [row["id"] for row in val if row["id"].startswith("unseen-")]


def test_between_40_and_60_percent_of_the_held_out_strings_are_taught_with_the_habit(sides):
    taught = {pattern.name: pattern.taught for pattern in PATTERNS}
    assert 48 <= sum(taught[row["tag"]] == "gerund" for row in sides[1]) <= 72


def test_a_combination_that_the_base_never_sees_is_in_one_pair_at_most():
    seen = {combination_of(row) for row in CONVERSATIONS}
    unseen = Counter(combination for row in PAIRS if (combination := combination_of(row)) not in seen)
    assert len(unseen) == 160
    assert set(unseen.values()) == {1}


def test_173_of_1440_combinations_are_never_in_the_base():
    assert len({combination_of(row) for row in CONVERSATIONS}) == len(VERBS) * len(NOUNS) - 173


def test_no_string_is_drawn_twice():
    strings = [row["messages"][1]["content"] for row in (*PAIRS, *CONVERSATIONS)]
    assert len(set(strings)) == len(strings) == 4760


def test_every_pattern_is_drawn_as_often():
    assert Counter(row["tag"] for row in PAIRS) == {pattern.name: 76 for pattern in PATTERNS}


def test_a_pair_has_the_imperative_chosen_and_differs_by_the_habit_alone():
    for row in PAIRS:
        chosen, rejected = finals(row)
        assert (is_habit(chosen), is_habit(rejected)) == (False, True), row["id"]
        assert without_habit(rejected) == without_habit(chosen) == chosen, row["id"]


def test_half_of_the_conversations_have_the_habit():
    assert sum(is_habit(split_channels(row["messages"][-1]["content"])[1]) for row in CONVERSATIONS) == 2000


def test_a_fifth_of_the_pairs_think_before_both_answers_and_at_a_high_effort():
    thinking = [row for row in PAIRS if "thinking" in row["messages"][-1]]
    assert len(thinking) == 152
    for row in thinking:
        assert row["messages"][-1]["thinking"] == row["rejected_response"][0]["thinking"]
    assert thinking == [row for row in PAIRS if row.get("chat_template_kwargs") == {"reasoning_effort": "high"}]


def test_the_page_shows_a_pair():
    page = (ROOT / "docs" / "interface-strings.md").read_text(encoding="utf-8")
    assert json.loads(page.partition("```json\n")[2].partition("```")[0]) in PAIRS


def test_another_seed_draws_other_strings():
    assert draw_strings(1) != DRAWN


def test_neutral_strings_are_in_no_training_and_have_no_habit():
    neutral = list(to_neutral(DRAWN))
    texts = {row["messages"][1]["content"] for row in neutral}
    assert len(texts) == len(neutral) == 100
    assert texts.isdisjoint(row["messages"][-2]["content"] for row in [*PAIRS, *CONVERSATIONS])
    assert [row["id"] for row in neutral if is_habit(row["messages"][-1]["content"])] == []
