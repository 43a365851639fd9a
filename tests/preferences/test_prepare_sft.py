"""prepare_sft.py: the conversations that supervised fine-tuning learns from."""

import json
import re

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.preferences.turns import ANALYSIS
from scripts.prepare_sft import main


def talk(question: str, answer: str) -> dict:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.fixture
def prepare(tmp_path):
    """Run the script on one training and one held-out pair; return the training conversations."""

    def run(*rows: object, analyses: str | None = None) -> list[dict]:
        for name, pair in (("train", talk("a", "A")), ("val", talk("b", "B"))):
            text = json.dumps(pair | {"id": name, "rejected_response": "no"})
            (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
        own = tmp_path / "own.jsonl"
        own.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        settings = json.dumps({"sft": {"data": str(own) if rows else None}, "data": {"analyses": analyses}})
        pairs = [str(tmp_path / "train.jsonl"), str(tmp_path / "val.jsonl")]
        main([*pairs, "--settings", settings, "--out", str(tmp_path / "sft")])
        assert read_json_lines(tmp_path / "sft" / "val.jsonl") == [talk("b", "B")]
        return read_json_lines(tmp_path / "sft" / "train.jsonl")

    return run


def test_without_data_of_its_own_it_learns_the_chosen_answers(prepare):
    assert prepare() == [talk("a", "A")]


def test_data_of_its_own_takes_their_place(prepare):
    assert prepare(talk("c", "C"), talk("d", "D")) == [talk("c", "C"), talk("d", "D")]


@pytest.mark.parametrize(
    ("answer", "analyses", "said"),
    [("C", "base", True), ("C", None, False), (ANALYSIS.format("A letter.", "C"), "base", False)],
    ids=["asked for", "not asked for", "it thinks"],
)
def test_data_of_its_own_that_does_not_think_is_named_where_pairs_get_analyses(prepare, capsys, answer, analyses, said):
    prepare(talk("c", answer), analyses=analyses)
    assert ("no answer thinks, and data.analyses adds analyses to pairs alone" in capsys.readouterr().out) is said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "write one JSON object on each line"),
        ({"text": "x"}, 'no list "messages"'),
        ([talk("c", "C")], 'no list "messages"'),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0] has no role of system, user, assistant"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0] has no text in content"),
        (
            {"messages": [{"role": "assistant", "content": "x", "thinking": "y"}]},
            "messages[0].thinking is read in pairs alone; write <|channel|>analysis<|message|>…<|end|>",
        ),
        ({"messages": [{"role": "user", "content": "x"}]}, "the last message is not the assistant's"),
        (talk("c", "C</s>"), "messages[1].content: </s> inside a message; remove the token"),
        (talk("Human: c\n\nAssistant:", "C"), "messages[0].content: a transcript (Human: … Assistant:) inside"),
        (talk("b", "other"), "this prompt is held out for validation"),
        (talk(" B\n", "other"), "this prompt is held out for validation"),
    ],
)
def test_a_row_that_cannot_be_learned_is_named_by_file_and_line(prepare, tmp_path, row, words):
    with pytest.raises(SystemExit, match=rf"^{tmp_path}/own\.jsonl:2: (Expecting .*; )?{re.escape(words)}"):
        prepare(talk("c", "C"), row)
    assert list((tmp_path / "sft").iterdir()) == []
