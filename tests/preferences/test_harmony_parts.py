"""preferences/harmony_parts.py: effort, calls and thinking of a pair, beside tests/golden/formats and problems."""

import json
from typing import Any

import pytest

from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import Converted, convert_chunk
from pipeline.preferences.options import Options
from pipeline.preferences.turns import ANALYSIS
from tests.support.conversion import convert, read_pairs, read_quality

ASKED, SURE = {"role": "user", "content": "6 times 7?"}, {"role": "user", "content": "Sure?"}
THOUGHT = {"role": "assistant", "content": "42", "thinking": "Six sevens."}
YES = {"role": "assistant", "content": "Yes."}
KEPT = {"role": "assistant", "content": ANALYSIS.format("Six sevens.", "42")}


def pair(*turns: dict[str, str], rejected: str = "No.", **keys: Any) -> dict[str, Any]:
    return {"messages": list(turns), "rejected_response": rejected} | keys


def convert_rows(*rows: Any, **options: Any) -> Converted:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return convert_chunk(Chunk("raw.jsonl", "swift", lines, 1), Options(**options))


def messages_of(row: dict[str, Any], **options: Any) -> list[dict[str, str]]:
    return json.loads(convert_rows(row, **options).pairs)["messages"]


# Thinking


@pytest.mark.parametrize("earlier", [THOUGHT, KEPT], ids=["a key of the message", "channels in its text"])
def test_the_thinking_of_an_earlier_turn_is_left_out(earlier):
    assert messages_of(pair(ASKED, earlier, SURE, YES))[1] == {"role": "assistant", "content": "42"}


@pytest.mark.parametrize("earlier", [THOUGHT, KEPT], ids=["a key of the message", "channels in its text"])
def test_the_thinking_of_an_earlier_turn_stays_where_the_settings_say_so(earlier):
    assert messages_of(pair(ASKED, earlier, SURE, YES), keeps_thinking=True)[1] == KEPT


def test_all_analyses_of_an_earlier_turn_are_left_out():
    twice = {
        "role": "assistant",
        "content": ANALYSIS.format("Once.", "").partition("<|channel|>final")[0] + KEPT["content"],
    }
    assert messages_of(pair(ASKED, twice, SURE, YES))[1] == {"role": "assistant", "content": "42"}


def test_the_channel_final_of_a_message_is_the_one_that_it_gets_anyway():
    assert messages_of(pair(ASKED, YES | {"channel": "final"}))[1] == YES


def test_the_thinking_of_both_answers_stays():
    row = pair(ASKED, THOUGHT, rejected=ANALYSIS.format("Eight sixes.", "48"))
    converted = json.loads(convert_rows(row).pairs)
    assert (converted["messages"][-1], converted["rejected_response"]) == (KEPT, row["rejected_response"])


def test_an_escaped_channel_is_found_as_one_that_is_not_escaped():
    line = json.dumps(pair(ASKED, KEPT, SURE, YES)).replace("<", "\\u003c").replace("channel", "ch\\u0061nnel")
    converted = convert_chunk(Chunk("raw.jsonl", "swift", line.encode(), 1), Options())
    assert json.loads(converted.pairs)["messages"][1]["content"] == "42"


def test_earlier_thinking_is_kept_by_the_setting_and_then_not_warned_of(tmp_path):
    (tmp_path / "raw.jsonl").write_text(json.dumps(pair(ASKED, THOUGHT, SURE, YES)), encoding="utf-8")
    convert(tmp_path / "raw.jsonl", tmp_path / "out", earlier_thinking="keep")
    assert read_pairs(tmp_path / "out")[0]["messages"][1] == KEPT
    assert read_quality(tmp_path / "out")["codes"] == {}


def test_a_fault_after_a_turn_that_is_left_out_has_its_place_in_the_raw_row():
    called = {"role": "assistant", "content": "", "thinking": "Look.", "tool_calls": [{"name": "f", "arguments": {}}]}
    turns = [ASKED, called, {"role": "tool", "content": "42"}, YES, SURE | {"content": "<|end|>"}, YES]
    ((_, (finding,), _),) = convert_rows(pair(*turns, tools=[{"name": "f"}])).rejected
    assert (finding.code, finding.path) == ("control-token", "$.messages[4].content")


@pytest.mark.parametrize(
    ("chosen", "rejected", "side"),
    [(True, True, "both"), (True, False, "chosen"), (False, True, "rejected"), (False, False, "neither")],
)
def test_pairs_are_counted_by_the_answers_that_think(chosen, rejected, side):
    row = pair(ASKED, KEPT if chosen else YES, rejected=ANALYSIS.format("Hm.", "No.") if rejected else "No.")
    assert +convert_rows(row).thinking == {side: 1}


# The effort


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Reasoning: low", None),
        ("Be calm.\nReasoning: low", "Be calm."),
        ("Reasoning: Low.\n\nBe calm.", "Be calm."),
        ("Be calm.\nReasoning effort: low\nBe kind.", "Be calm.\nBe kind."),
        ("Be calm.\n\n  reasoning: LOW\n\nBe kind.", "Be calm.\n\nBe kind."),
        ("REASONING: LOW\nBe calm.", "Be calm."),
        ("Reasoning Effort: Low\nBe calm.", "Be calm."),
        ("Reasoning: low\nBe calm.\nReasoning: low", "Be calm."),
    ],
)
def test_a_line_about_the_effort_is_taken_out_of_the_system_message(text, rest):
    converted = json.loads(convert_rows(pair({"role": "system", "content": text}, ASKED, YES)).pairs)
    said = converted["messages"][0]["content"] if converted["messages"][0]["role"] == "system" else None
    assert (converted["chat_template_kwargs"], said) == ({"reasoning_effort": "low"}, rest)


# What harmony itself writes


@pytest.mark.parametrize("heading", ["# Instructions\n\n", "\n# Instructions \r\n", "# Instructions\n"])
def test_the_heading_of_a_developers_message_which_harmony_writes_is_taken_off(heading):
    (told, *_) = messages_of(pair({"role": "developer", "content": f"{heading}Be calm."}, ASKED, YES))
    assert told == {"role": "system", "content": "Be calm."}


@pytest.mark.parametrize(
    "told",
    [
        {"role": "system", "content": "# Instructions\n\nBe calm."},
        {"role": "developer", "content": "# Instructions for guests\n\nBe calm."},
        {"role": "developer", "content": "Be calm.\n\n# Instructions\n\nSit."},
    ],
)
def test_another_heading_stays(told):
    assert messages_of(pair(told, ASKED, YES))[0]["content"] == told["content"]


def test_a_prompt_with_other_tools_or_another_effort_is_another_prompt():
    rows = [pair(ASKED, YES, **keys) for keys in ({}, {"reasoning_effort": "low"}, {"tools": [{"name": "f"}]})]
    assert len(set(convert_rows(*rows, rows[1]).keys.pairs.tolist())) == 3
