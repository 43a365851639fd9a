"""swift_rows.py: what ms-swift loads of the files that it is given, by its own loader, is what the rows say."""

import json
from pathlib import Path

import pytest

from pipeline.models.channels import FINAL
from pipeline.models.render_chat import load_template
from pipeline.models.swift_rows import swift_row, write_swift_rows
from pipeline.preferences.rated_answers import rated_answers
from tests.support.golden_prompts import NAMES, PROMPT, read_golden

pytestmark = pytest.mark.training_environment

BLOCK = 10 << 20  # from which datasets takes the columns
ODD = {
    "type": "object",
    "properties": {"n": {"type": "integer", "maximum": 2**70, "minimum": 1.0000000000000002, "default": None}},
}
ODD_TOOL = {"type": "function", "function": {"name": "f", "parameters": ODD}}


def pair(question: str, chosen: str, rejected: str) -> dict:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": chosen}]
    return {"id": "a", "messages": turns, "rejected_response": rejected}


PLAIN = pair("Long.", "Yes.", "x" * (1 << 20))
DATES = [pair(f"2024-01-{day:02}", f"2024-02-{day:02}", f"2024-03-{day:02}") for day in range(1, 9)]


def load(file: Path, rows: list[dict], monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Return the rows of a file as ms-swift's trainers get them."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(file.parent / "cache"))
    from swift.dataset import load_dataset

    return list(load_dataset([str(write_swift_rows(file, rows))], strict=True)[0])


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    """Return the golden pairs and one with an odd tool as they are loaded after 10 MB of plain ones."""
    pairs = [read_golden(name)["pair"] for name in NAMES] + [pair("q", "a", "b") | {"tools": [ODD_TOOL]}]
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("late")
        rows = load(folder / "rows.jsonl", [PLAIN] * (BLOCK // len(PLAIN["rejected_response"]) + 1) + pairs, patch)
    return dict(zip([*NAMES, "odd"], rows[-len(pairs) :], strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["chosen", "rejected"])
def test_a_pair_after_the_first_10_mb_has_the_tokens_of_its_golden_file(late, gpt_oss, name, answer):
    template = load_template(gpt_oss, PROMPT, loss_scale="last_round")
    template.set_mode("rlhf")
    encoded, golden = template.encode(late[name]), read_golden(name)[answer]
    assert encoded[f"{answer}_input_ids"] == golden["ids"]
    assert [int(label >= 0) for label in encoded[f"{answer}_labels"]] == golden["trained"]["last_round"]


def test_tools_after_the_first_10_mb_keep_every_number_and_null(late):
    assert late["odd"]["chat_template_kwargs"]["tools"] == json.dumps([ODD_TOOL])


def test_answers_that_are_all_dates_stay_texts(tmp_path, monkeypatch):
    (first, *_) = load(tmp_path / "rows.jsonl", DATES, monkeypatch)
    assert [turn["content"] for turn in first["messages"]] == ["2024-01-01", "2024-02-01"]
    assert first["rejected_response"] == f"{FINAL}2024-03-01"


def test_rows_of_kto_keep_their_labels_and_texts(tmp_path, monkeypatch):
    rows = load(tmp_path / "rows.jsonl", [row for each in DATES for row in rated_answers(each)], monkeypatch)
    assert [row["label"] for row in rows[:2]] == [True, False]
    assert [row["messages"][-1]["content"] for row in rows[:2]] == ["2024-02-01", "2024-03-01"]


@pytest.mark.parametrize("extra", [{}, {"tools": [ODD_TOOL]}, {"chat_template_kwargs": {"reasoning_effort": "low"}}])
def test_a_row_has_the_columns_of_any_other_and_nothing_below_them_but_texts(extra):
    row = swift_row(DATES[0] | extra | {"tag": "x"})
    assert {name: type(value) for name, value in row.pop("chat_template_kwargs").items()} == {
        "reasoning_effort": str,
        "tools": str,
    }
    assert {name: type(value) for name, value in row.items()} == {"messages": str, "rejected_response": str}
