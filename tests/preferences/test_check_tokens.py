"""check_tokens.py: what the model's own tokenizer and template say of pairs."""

import json
import shutil

import pytest
from tokenizers import Tokenizer, models, trainers
from transformers import PreTrainedTokenizerFast

from pipeline.files.json_lines import read_json_lines
from scripts.check_tokens import main

pytestmark = pytest.mark.training_environment


def pair(name: str, chosen: str, rejected: str = "Please save!") -> dict:
    messages = [{"role": "user", "content": "保存"}, {"role": "assistant", "content": chosen}]
    return {"id": name, "messages": messages, "rejected_response": rejected}


SHORT = pair("short", "Save")
LONG = pair("long", "Save the file. " * 100)


@pytest.fixture
def check(built, tmp_path):
    """Run the script on training pairs; return its files, and the message that it stopped with."""

    def run(*pairs: dict, max_length=300, strategy="delete", on_problem="drop", model=built[0]) -> dict:
        sides = {name: tmp_path / f"{name}.jsonl" for name in ("train", "val")}
        sides["train"].write_text("".join(json.dumps(row) + "\n" for row in pairs), encoding="utf-8")
        sides["val"].write_text(json.dumps(SHORT) + "\n", encoding="utf-8")
        dpo = {"max_length": max_length, "truncation_strategy": strategy, "loss_scale": "last_round"}
        settings = {"data": {"on_problem": on_problem}, "dpo": dpo, "prompt": {"date": "2020-02-02"}}
        out = {name: tmp_path / "out" / f"{name}.jsonl" for name in ("train", "val")}
        out["rejects"] = tmp_path / "rejects.jsonl"
        places = ["--model", str(model), "--rejects", str(out["rejects"]), "--out", str(tmp_path / "out")]
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
    assert reject["path"] == "$.messages[-1].content"
    assert reject["problem"] == f"{found['tokens']['longest']} tokens with the prompt, dpo.max_length is 300"


def test_the_account_is_whole(check):
    account = check(SHORT, LONG)["tokens"]["train"]
    assert account == {"rows_in": 2, "rows_used": 1, "rows_rejected": 1, "too-many-tokens": 1}


def test_it_stops_with_one_line_where_nothing_may_be_dropped(check):
    stopped = check(SHORT, LONG, on_problem="stop")["stopped"]
    assert stopped.startswith("train.jsonl:2: $.messages[-1].content: ")
    assert stopped.endswith("(too-many-tokens), or go on without such pairs: data.on_problem: drop")


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
    assert (reject["code"], reject["path"]) == ("other-prompt", "$.messages[-1].content")
    assert [more["code"] for more in reject["more"]] == ["other-prompt"]
