"""check_tokens.py: what the model's own tokenizer and template say of pairs."""

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, trainers
from transformers import PreTrainedTokenizerFast

from pipeline.files.json_lines import read_json_lines, write_json_lines
from scripts.check_tokens import main, place_pairs

pytestmark = pytest.mark.training_environment


def pair(name: str, chosen: str, rejected: str = "Please save!") -> dict:
    messages = [{"role": "user", "content": "保存"}, {"role": "assistant", "content": chosen}]
    return {"id": name, "messages": messages, "rejected_response": rejected}


SHORT = pair("short", "Save")
LONG = pair("long", "Save the file. " * 100)


@pytest.fixture
def check(built, tmp_path):
    """Run the script on training pairs; return its files, and the message that it stopped with."""

    def run(*pairs: dict, max_length=300, strategy="delete", on_problem="drop", model=built[0], converted=()) -> dict:
        sides = {name: tmp_path / f"{name}.jsonl" for name in ("train", "val")}
        sides["train"].write_text("".join(json.dumps(row) + "\n" for row in pairs), encoding="utf-8")
        sides["val"].write_text(json.dumps(SHORT) + "\n", encoding="utf-8")
        dpo = {"max_length": max_length, "truncation_strategy": strategy, "loss_scale": "last_round"}
        settings = {
            "data": {"on_problem": on_problem},
            "dpo": dpo,
            "prompt": {"date": "2020-02-02", "reasoning_effort": "medium"},
        }
        out = {name: tmp_path / "out" / f"{name}.jsonl" for name in ("train", "val")}
        out["rejects"] = tmp_path / "rejects.jsonl"
        places = ["--converted", *map(str, converted)] if converted else []
        places += ["--model", str(model), "--rejects", str(out["rejects"]), "--out", str(tmp_path / "out")]
        stopped = None
        try:
            main([*map(str, sides.values()), "--settings", json.dumps(settings), *places])
        except SystemExit as stop:
            stopped = str(stop.code).replace(f"{tmp_path}/", "")
        written = {name: read_json_lines(path) for name, path in out.items()}
        tokens = json.loads((tmp_path / "out" / "tokens.json").read_text(encoding="utf-8"))
        return written | {"tokens": tokens, "stopped": stopped}

    return run


def test_pairs_that_fit_go_on_unchanged(check):
    found = check(SHORT)
    assert (found["train"], found["rejects"], found["stopped"]) == ([SHORT], [], None)


def test_a_pair_that_is_too_long_is_named_with_its_tokens_and_dropped(check):
    found = check(SHORT, LONG)
    assert found["train"] == [SHORT]
    (reject,) = found["rejects"]
    assert (reject["id"], reject["line"], reject["code"]) == ("long", 2, "too-many-tokens")
    tokens = found["tokens"]["longest"]
    assert reject["problem"] == f"{tokens} tokens of prompt and chosen answer, dpo.max_length is 300"


def test_the_account_is_whole(check):
    account = check(SHORT, LONG)["tokens"]["train"]
    assert account == {"rows_in": 2, "rows_used": 1, "rows_rejected": 1, "too-many-tokens": 1}


def test_it_stops_with_one_line_where_nothing_may_be_dropped(check):
    stopped = check(SHORT, LONG, on_problem="stop")["stopped"]
    assert stopped.startswith("train.jsonl:2: ")
    assert "chosen answer" in stopped
    assert stopped.endswith("(too-many-tokens), or go on without such pairs: data.on_problem: drop")


@pytest.fixture
def converted(tmp_path) -> list[Path]:
    """Return pairs.jsonl and places.jsonl of a conversion, whose second pair was the user's line 12."""
    pairs, places = tmp_path / "pairs.jsonl", tmp_path / "places.jsonl"
    write_json_lines(pairs, [pair("held-out", "Save"), SHORT, LONG])
    write_json_lines(places, [{"pair": 1, "file": "my.jsonl", "line": 3}, {"pair": 2, "file": "my.jsonl", "line": 11}])
    return [pairs, places]


def test_a_pair_is_named_by_its_line_in_the_users_own_file(check, converted):
    found = check(SHORT, LONG, converted=converted, on_problem="stop")
    assert (found["rejects"][0]["file"], found["rejects"][0]["line"]) == ("my.jsonl", 12)
    assert found["stopped"].startswith("my.jsonl:12: ")


def test_pairs_of_ones_own_to_hold_out_are_named_by_their_own_conversion(check, converted, tmp_path):
    own = [tmp_path / "own-pairs.jsonl", tmp_path / "own-places.jsonl"]
    write_json_lines(own[0], [pair("short", "Save")])
    write_json_lines(own[1], [{"pair": 1, "file": "val.jsonl", "line": 7}])
    found = check(SHORT, converted=[*converted, *own], max_length=16)
    assert [(row["file"], row["line"]) for row in found["rejects"]] == [("my.jsonl", 11), ("val.jsonl", 7)]


def test_a_pair_that_was_not_converted_is_named(converted, tmp_path):
    write_json_lines(tmp_path / "train.jsonl", [SHORT, pair("new", "Save")])
    with pytest.raises(SystemExit, match="new is not in"):
        list(place_pairs(tmp_path / "train.jsonl", converted))


def test_what_is_left_out_is_counted_aloud(check, capsys):
    check(SHORT, LONG)
    said = capsys.readouterr().out
    assert "train: 2 pairs in, 1 go on, 1 LEFT OUT" in said
    assert "val: 1 pairs in, 1 go on, none is left out" in said
    assert "train.jsonl:2" in said


def test_a_cut_pair_is_shown_with_its_place(check, capsys):
    check(SHORT, LONG, strategy="right")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("truncated")]
    assert line.endswith("train.jsonl:2")


def test_it_stops_where_no_pair_is_left_of_a_side_even_where_pairs_may_be_dropped(check):
    assert check(LONG)["stopped"].endswith("; no pair is left of train.jsonl")


def test_a_pair_that_the_trainer_cuts_goes_on_and_is_counted(check):
    found = check(SHORT, LONG, strategy="right")
    assert found["train"] == [SHORT, LONG]
    assert found["tokens"]["train"]["truncated"] == 1


def test_a_pair_of_which_truncation_leaves_no_answer_is_rejected(check):
    found = check(LONG, max_length=20, strategy="right")
    reject = found["rejects"][0]
    assert {reject["code"], *(more["code"] for more in reject["more"])} == {"no-supervised-token"}


def test_an_answer_is_counted_as_the_trainer_counts_it(check):
    # <|channel|>, final, <|message|>, the answer, <|return|>: no prompt token is trained.
    supervised = check(pair("one", "Save", "Store"))["tokens"]["supervised"]
    assert supervised["chosen"] >= 5
    assert supervised["chosen"] < 40


def test_a_prompt_that_inference_sends_in_other_tokens_is_rejected(check, built, tmp_path):
    # A tokenizer that knows nothing of harmony's tokens, and joins "assistant" and what follows it.
    model = tmp_path / "other"
    shutil.copytree(built[0], model)
    bpe = Tokenizer(models.BPE())
    text = "<|end|><|start|>user<|message|>保存<|end|><|start|>assistant<|channel|>final<|message|>Save<|end|>"
    bpe.train_from_iterator([text] * 9, trainers.BpeTrainer(show_progress=False))
    bpe.add_special_tokens(["<|endoftext|>"])
    PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<|endoftext|>").save_pretrained(model)
    turns = [{"role": "user", "content": "保存"}, {"role": "assistant", "content": "Save"}]
    row = {"id": "turns", "messages": turns * 2, "rejected_response": "Store"}
    (reject, *_) = check(row, model=model)["rejects"]
    assert (reject["code"], reject["path"]) == ("other-prompt", "$")
    assert [more["code"] for more in reject["more"]] == ["other-prompt"]
