"""split_preferences.py: which side a pair goes to."""

import json
from collections import Counter

import pytest

from pipeline.files.json_lines import read_json_lines, write_json_lines
from scripts.split_preferences import judge_counts, main


def pair(question: str, answer: str = "x", **changes) -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"id": f"{question}-{answer}", "messages": messages, "rejected_response": "y"} | changes


@pytest.fixture
def split(tmp_path):
    """Run the script on some pairs; return both sides."""

    def run(pairs, fraction=0.3, seed=1, by_tag=False, quality=None, most=None):
        write_json_lines(tmp_path / "pairs.jsonl", pairs)
        data = {"val_fraction": fraction, "val_max": most, "split_seed": seed, "split_by_tag": by_tag}
        words = ["--settings", json.dumps({"data": data}), *(["--quality", str(quality)] if quality else [])]
        main([str(tmp_path / "pairs.jsonl"), *words, "--out", str(tmp_path / "out")])
        return [read_json_lines(tmp_path / "out" / side) for side in ("train.jsonl", "val.jsonl")]

    return run


def test_about_the_asked_share_is_held_out(split):
    _, val = split([pair(str(number)) for number in range(5000)], 0.2)
    assert 900 < len(val) < 1100


def test_no_more_are_held_out_than_asked_for_and_those_would_be_held_out_without_a_limit(split):
    pairs = [pair(str(number)) for number in range(100)]
    _, val = split(pairs, most=7)
    assert len(val) == 7
    assert {row["id"] for row in val} <= {row["id"] for row in split(pairs)[1]}


def test_a_limit_that_is_not_reached_changes_nothing(split):
    pairs = [pair(str(number)) for number in range(20)]
    assert split(pairs, most=20) == split(pairs)


def test_a_limit_keeps_the_pairs_of_a_prompt_together(split):
    pairs = [pair(str(number), answer) for number in range(50) for answer in "abc"]
    assert len(split(pairs, most=10)[1]) == 9


def test_a_pair_more_moves_at_most_one_other_where_there_is_a_limit(split):
    pairs = [pair(str(number)) for number in range(100)]
    before, after = ({row["id"] for row in split(some, most=7)[1]} for some in (pairs[:-1], pairs))
    assert len(before - after) <= 1


def test_another_seed_holds_out_other_prompts(split):
    pairs = [pair(str(number)) for number in range(100)]
    assert split(pairs, 0.5, 1) != split(pairs, 0.5, 2)


@pytest.mark.parametrize("by_tag", [False, True], ids=["by prompt", "by tag"])
def test_no_pair_is_lost_and_none_is_changed(split, by_tag):
    pairs = [pair(str(number), tag="ab"[number % 2]) for number in range(100)]
    train, val = split(pairs, 0.3, 1, by_tag)
    assert sorted(train + val, key=lambda row: int(row["messages"][0]["content"])) == pairs


@pytest.mark.parametrize("by_tag", [False, True], ids=["by prompt", "by tag"])
def test_pairs_of_one_prompt_are_never_on_both_sides(split, by_tag):
    pairs = [pair(str(number), answer, tag=answer) for number in range(50) for answer in "ab"]
    questions = [{row["messages"][0]["content"] for row in side} for side in split(pairs, 0.3, 1, by_tag)]
    assert not questions[0] & questions[1]


def test_a_prompt_in_other_spacing_case_or_under_another_system_message_is_the_same_prompt(split):
    pairs = []
    for number in range(50):
        variant = pair(f"Prompt  NO {number}", "b")
        variant["messages"].insert(0, {"role": "system", "content": "Translate."})
        pairs += [pair(f"prompt no {number}"), variant]
    train, val = split(pairs)
    assert len(train) % 2 == len(val) % 2 == 0


def test_adding_pairs_moves_none_of_those_that_were_there(split):
    before = split([pair(str(number)) for number in range(50)])
    after = split([pair(str(number)) for number in range(80)])
    assert all(row in after[side] for side in (0, 1) for row in before[side])


def test_by_tag_each_tag_is_held_out_in_the_same_share(split):
    pairs = [pair(str(number), tag="rare" if number % 10 == 0 else "common") for number in range(200)]
    _, val = split(pairs, 0.3, 1, by_tag=True)
    assert Counter(row["tag"] for row in val) == {"rare": 6, "common": 54}


def test_by_tag_adding_pairs_moves_at_most_as_many_of_the_others(split):
    before = split([pair(str(number), tag="a") for number in range(50)], 0.3, 1, by_tag=True)
    after = split([pair(str(number), tag="a") for number in range(53)], 0.3, 1, by_tag=True)
    moved = [row for side in (0, 1) for row in before[side] if row not in after[side]]
    assert len(moved) <= 3


def test_an_empty_side_is_refused_with_the_setting_to_change(split, tmp_path):
    with pytest.raises(SystemExit, match=r"the validation side .* change data.val_fraction"):
        split([pair("1")], 0.00001)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["pairs.jsonl"]


def test_line_separators_within_texts_do_not_split_rows(split, tmp_path):
    rows = [pair(f"{number}\u2028\x85", "x") for number in range(20)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    train, val = split(rows)
    assert len(train) + len(val) == 20


ACCOUNT = {"rows_in": 22, "rows_used": 20, "rows_rejected": 2, "pairs": 20}


def test_with_the_account_of_the_conversion_its_gates_are_written(split, tmp_path):
    (tmp_path / "quality.json").write_text(json.dumps(ACCOUNT), encoding="utf-8")
    split([pair(str(number)) for number in range(20)], quality=tmp_path / "quality.json")
    gates = json.loads((tmp_path / "out" / "gates.json").read_text(encoding="utf-8"))
    assert {row["gate"]: row["passed"] for row in gates} == {"rows_in": True, "pairs_split": True}


def test_an_account_of_other_pairs_stops_it_before_a_side_is_written(split, tmp_path):
    (tmp_path / "quality.json").write_text(json.dumps(ACCOUNT | {"pairs": 21}), encoding="utf-8")
    with pytest.raises(SystemExit, match="pairs_split"):
        split([pair(str(number)) for number in range(20)], quality=tmp_path / "quality.json")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["gates.json"]


def test_a_row_lost_or_counted_twice_fails_its_gate():
    def failed(counts: list[int], **account: int) -> set[str]:
        whole = {"rows_in": 10, "rows_used": 8, "rows_rejected": 2, "pairs": 8} | account
        return {row["gate"] for row in judge_counts(counts, whole) if not row["passed"]}

    assert failed([6, 2]) == set()
    assert failed([6, 1]) == failed([6, 3]) == {"pairs_split"}
    assert failed([6, 2], rows_rejected=1) == {"rows_in"}
