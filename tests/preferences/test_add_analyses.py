"""add_analyses.py: the answers of shards come to their own pairs, and the model's tokens say what fits."""

import json

import pytest

from pipeline.evaluation.shards import NOTED
from pipeline.files.json_files import read_json
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.preferences.turns import ANALYSIS
from scripts.add_analyses import load_counter, main

pytestmark = pytest.mark.training_environment

SETTINGS = {
    "infer": {"answers_per_prompt": 1},
    "dpo": {"loss_scale": "last_round", "max_length": 512},
    "prompt": {"date": "2020-02-02", "reasoning_effort": "medium"},
}


def pair(name, chosen="Save", rejected="Please save!"):
    messages = [{"role": "user", "content": "保存"}, {"role": "assistant", "content": chosen}]
    return {"id": name, "messages": messages, "rejected_response": rejected}


def thinking(name, text):
    return pair(name, *(ANALYSIS.format(text, answer) for answer in ("Save", "Please save!")))


@pytest.fixture
def add(built, tmp_path, capsys):
    """Return a function that runs the script on pairs and the texts of each shard's answers."""

    def run(pairs, *shards, **dpo):
        files = [tmp_path / f"{number}.jsonl" for number in range(len(shards))]
        for file, texts in zip(files, shards, strict=True):
            rows = [{"response": text} | dict.fromkeys(NOTED, 1) | {"finish": "stop"} for text in texts]
            write_json_lines(file, rows)
        write_json_lines(tmp_path / "train.jsonl", pairs)
        settings = json.dumps(SETTINGS | {"dpo": SETTINGS["dpo"] | dpo})
        options = ["--settings", settings, "--model", str(built[0]), "--pairs", str(tmp_path / "train.jsonl")]
        options += ["--out", str(tmp_path / "out.jsonl"), "--account", str(tmp_path / "account.json")]
        main([*map(str, files), *options])
        return read_json_lines(tmp_path / "out.jsonl"), read_json(tmp_path / "account.json"), capsys.readouterr().out

    return run


def test_answers_of_several_shards_come_to_their_own_pairs(add):
    shards = [[ANALYSIS.format(text, "x") for text in texts] for texts in (("0", "2"), ("1",))]
    found, account, said = add([pair(name) for name in "abc"], *shards)
    assert found == [thinking(name, text) for name, text in zip("abc", "012", strict=True)]
    assert (account["asked"], account["added"]) == (3, 3)
    assert "3 pairs: 3 got the base model's analysis, 0 had one" in said


def test_what_fits_is_counted_in_the_tokens_of_the_training(add, built):
    count = load_counter(built[0], SETTINGS)
    most = count(thinking("a", "Short."))
    texts = [ANALYSIS.format(text, "x") for text in ("Short.", "Much longer than the other one.")]
    found, account, said = add([pair("a"), pair("b")], texts, max_length=most)
    assert found == [thinking("a", "Short."), pair("b")]
    tokens = {
        "tokens_with": count(thinking("b", "Much longer than the other one.")),
        "tokens_without": count(pair("b")),
    }
    assert account["too_long"] == [{"id": "b"} | tokens]
    assert f"b: {tokens['tokens_with']} tokens with an analysis, {tokens['tokens_without']} without" in said


def test_it_says_where_no_pair_thinks(add):
    found, account, said = add([pair("a")], ["Save"])
    assert (found, account["not_added"]["no_analysis"]) == ([pair("a")], 1)
    assert "1 without: the base model answered without an analysis: raise prompt.reasoning_effort" in said
    assert "no pair thinks: change what the lines above say, or set data.analyses to null" in said
