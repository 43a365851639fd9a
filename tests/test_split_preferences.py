"""split_preferences.py: which side a pair goes to."""

import pytest
from json_lines import write_json_lines
from split_preferences import is_held_out, main, split


def pair(question: str, answer: str = "x") -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"id": f"{question}-{answer}", "messages": messages, "rejected_response": "y"}


def prompt(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": str(number)}]


def test_about_the_asked_share_is_held_out():
    held_out = sum(is_held_out(prompt(number), 0.2, seed=1) for number in range(5000))
    assert 900 < held_out < 1100


def test_another_seed_holds_out_other_prompts():
    sides = [[is_held_out(prompt(number), 0.5, seed) for number in range(100)] for seed in (1, 2)]
    assert sides[0] != sides[1]


def test_pairs_of_one_prompt_are_never_on_both_sides():
    train, val = split([pair(str(n), answer) for n in range(50) for answer in "ab"], 0.3, seed=1)
    questions = [{row["messages"][0]["content"] for row in side} for side in (train, val)]
    assert not questions[0] & questions[1]
    assert len(train) + len(val) == 100


def test_adding_pairs_moves_none_of_those_that_were_there():
    before = split([pair(str(n)) for n in range(50)], 0.3, seed=1)
    after = split([pair(str(n)) for n in range(80)], 0.3, seed=1)
    assert all(row in after[side] for side in (0, 1) for row in before[side])


def test_an_empty_side_is_refused_with_the_setting_to_change(tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    write_json_lines(pairs, [pair("1")])
    out = [f"{tmp_path}/train.jsonl", "--val", f"{tmp_path}/val.jsonl"]
    with pytest.raises(SystemExit, match=r"the validation side .* change data.val_fraction"):
        main([str(pairs), "--train", *out, "--val-fraction", "0.00001", "--seed", "1"])
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.jsonl"]
