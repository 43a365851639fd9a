"""add_analyses.py: pairs get the base model's analysis before both answers, where it has a whole one."""

import json

import pytest

from pipeline.evaluation.shards import NOTED
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.preferences.turns import ANALYSIS
from scripts.add_analyses import main

ASKED = {"role": "user", "content": "打开"}


def pair(name="a", chosen="Open", rejected="Opening"):
    return {"id": name, "messages": [ASKED, {"role": "assistant", "content": chosen}], "rejected_response": rejected}


WHOLE = ANALYSIS.format("A button.", "Opened")


def answer(text=WHOLE, finish="stop"):
    """Return a row of swift's, as plugins/note_answer_ends.py leaves it."""
    return {"response": text} | dict.fromkeys(NOTED, 1) | {"finish": finish}


@pytest.fixture
def add(tmp_path, capsys):
    """Return a function that runs the script on pairs and on the answers of each shard; it returns pairs and output."""

    def run(pairs, *shards, each=1):
        files = [tmp_path / f"{number}.jsonl" for number in range(len(shards))]
        for file, rows in zip(files, shards, strict=True):
            write_json_lines(file, rows)
        write_json_lines(tmp_path / "train.jsonl", pairs)
        settings = json.dumps({"infer": {"answers_per_prompt": each}})
        options = ["--settings", settings, "--pairs", str(tmp_path / "train.jsonl"), "--out", str(tmp_path / "out")]
        main([*map(str, files), *options])
        return read_json_lines(tmp_path / "out"), capsys.readouterr().out

    return run


def test_both_answers_begin_with_the_analysis_of_the_base_model(add):
    found, said = add([pair()], [answer()])
    assert found == [
        pair(chosen=ANALYSIS.format("A button.", "Open"), rejected=ANALYSIS.format("A button.", "Opening"))
    ]
    assert said == "1 pairs got the base model's analysis\n"


def test_a_pair_that_thinks_keeps_its_own_analysis(add):
    own = pair(chosen=ANALYSIS.format("Mine.", "Open"))
    found, said = add([own], [answer()])
    assert (found, said) == ([own], "1 pairs had one\n")


@pytest.mark.parametrize(
    "other",
    [
        answer("Opened"),
        answer(ANALYSIS.format(" ", "Opened")),
        answer(ANALYSIS.format("A button.", " ")),
        answer("<|channel|>commentary<|message|>I look.<|end|><|start|>assistant" + WHOLE),
        answer("<|channel|>analysis<|message|>A button", "length"),
        answer("<|channel|>analysis<|message|>A button", "no_final"),
        answer(" to=functions.look<|channel|>commentary<|message|>{}<|call|>"),
    ],
    ids=["no analysis", "an empty one", "an empty final", "a preamble", "cut off", "no final", "a call"],
)
def test_a_pair_stays_as_it_is_where_the_base_model_has_no_whole_analysis(add, other):
    found, said = add([pair("a"), pair("b")], [answer(), other])
    assert found[1] == pair("b")
    assert "1 pairs have none" in said


def test_of_several_answers_the_first_whole_one_is_taken(add):
    found, _ = add([pair()], [answer("Opened"), answer(ANALYSIS.format("Second.", "Open"))], each=2)
    assert found[0]["rejected_response"] == ANALYSIS.format("Second.", "Opening")


def test_answers_of_several_shards_come_to_their_own_pairs(add):
    shards = [[answer(ANALYSIS.format(text, "x")) for text in texts] for texts in (("0", "2"), ("1",))]
    found, _ = add([pair(name) for name in "abc"], *shards)
    assert [row["rejected_response"] for row in found] == [ANALYSIS.format(text, "Opening") for text in "012"]


def test_it_says_where_no_pair_thinks(add):
    found, said = add([pair()], [answer("Opened")])
    assert found == [pair()]
    assert "no pair thinks: raise prompt.reasoning_effort or infer.max_new_tokens" in said
