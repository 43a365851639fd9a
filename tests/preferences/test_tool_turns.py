"""preferences/tool_turns.py: calls of tools and their results, as messages of several kinds hold them."""

import json
from typing import Any

import pytest

from pipeline.preferences.options import Options
from pipeline.preferences.problems import Rejected
from pipeline.preferences.read_row import locate_row, read_row
from pipeline.preferences.row_keys import Unread

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("get_tide", "get_time")]
ASKED, ANSWER = {"role": "user", "content": "High tide?"}, {"role": "assistant", "content": "At 14:20."}
ARGUMENTS = {"port": "Brest"}
CALLED = {"role": "tool_call", "content": json.dumps({"name": "get_tide", "arguments": ARGUMENTS})}
RESULT = {"role": "tool_response", "content": "14:20"}
TIME = {"role": "tool_call", "content": '{"name": "get_time", "arguments": {}}'}


def call(name: str = "get_tide", arguments: Any = None, **keys: Any) -> dict[str, Any]:
    """Return a call as OpenAI's messages hold it."""
    return {"type": "function", "function": {"name": name, "arguments": arguments or ARGUMENTS}} | keys


def row_of(*turns: dict[str, Any], tools: Any = TOOLS) -> dict[str, Any]:
    """Return a row in ms-swift's format with some turns between the question and the answer."""
    return {"tools": tools, "messages": [ASKED, *turns, ANSWER], "rejected_response": "At 9."}


def messages_of(row: dict[str, Any]) -> list[dict[str, str]]:
    """Return the messages of a row's pair."""
    pair = read_row(row, "swift", Options(), Unread()).pair
    return [{"role": message.role, "content": message.content} for message in pair.messages]


def fault_of(row: dict[str, Any]) -> str:
    """Return the code, the path and the detail of the one fault of a row."""
    with pytest.raises(Rejected) as refused:
        read_row(row, "swift", Options(), Unread())
    (finding,) = refused.value.findings
    return f"{finding.code} {finding.path} {finding.detail}"


CALLS = {
    "a list of calls": {"role": "assistant", "content": None, "tool_calls": [call(id="x")]},
    "a call with its arguments as text": {"role": "assistant", "tool_calls": [call(arguments=json.dumps(ARGUMENTS))]},
    "the list as text": {"role": "assistant", "content": "", "tool_calls": json.dumps([call()])},
    "a call without its wrapper": {"role": "assistant", "tool_calls": [{"name": "get_tide", "arguments": ARGUMENTS}]},
    "a function call": {"role": "assistant", "function_call": {"name": "get_tide", "arguments": json.dumps(ARGUMENTS)}},
    "a turn of ms-swift's": CALLED,
    "a turn of LLaMA-Factory's": {"from": "function_call", "value": CALLED["content"]},
    "a turn with a list": {"role": "function_call", "content": json.dumps([json.loads(CALLED["content"])])},
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_read_however_it_is_written(name):
    assert messages_of(row_of(CALLS[name], RESULT)) == [ASKED, CALLED, RESULT, ANSWER]


@pytest.mark.parametrize("role", ["tool", "tool_response", "function", "observation", "ipython"])
def test_a_result_is_read_under_every_usual_role(role):
    assert messages_of(row_of(CALLED, RESULT | {"role": role})) == [ASKED, CALLED, RESULT, ANSWER]


def test_a_call_without_arguments_has_none():
    turn = {"role": "assistant", "tool_calls": [{"function": {"name": "get_time", "arguments": ""}}]}
    assert messages_of(row_of(turn, RESULT))[1] == TIME


def test_the_namespace_of_harmony_is_no_part_of_a_name():
    turn = {"role": "assistant", "tool_calls": [call("functions.get_tide")]}
    assert messages_of(row_of(turn, RESULT | {"name": "functions.get_tide"})) == [ASKED, CALLED, RESULT, ANSWER]


def test_a_function_that_is_declared_with_the_namespace_in_its_name_keeps_it():
    tools = [{"type": "function", "function": {"name": "functions.get_tide"}}]
    turn = {"role": "assistant", "tool_calls": [call("functions.get_tide")]}
    assert '"functions.get_tide"' in messages_of(row_of(turn, RESULT, tools=tools))[1]["content"]


@pytest.mark.parametrize("nothing", [{"content": ""}, {"content": None}, {"content": []}, {"content": " \n"}])
def test_a_result_may_be_empty(nothing):
    (*_, result, _) = messages_of(row_of(CALLED, {"role": "tool"} | nothing))
    assert result == {"role": "tool_response", "content": nothing["content"] or ""}


def test_results_without_ids_stand_in_the_order_of_the_calls_of_their_names():
    named = [RESULT | {"name": name, "content": name[4:]} for name in ("get_time", "get_tide", "get_tide")]
    calls = [CALLED, TIME, CALLED]
    read = messages_of(row_of(*calls, *named))
    assert [message["content"] for message in read[4:7]] == ["tide", "time", "tide"]


def test_results_stand_in_the_order_of_their_calls():
    both = {"role": "assistant", "tool_calls": [call(id="a"), call("get_time", {}, id="b")]}
    both["tool_calls"][1]["function"]["arguments"] = {}
    results = [
        {"role": "tool", "tool_call_id": name, "content": text} for name, text in (("b", "12:00"), ("a", "14:20"))
    ]
    noon = RESULT | {"content": "12:00"}
    assert messages_of(row_of(both, *results)) == [ASKED, CALLED, TIME, RESULT, noon, ANSWER]


def test_ids_of_calls_may_be_numbers_where_those_of_results_are_texts():
    both = {"role": "assistant", "tool_calls": [call(id=1), call("get_time", {}, id=2)]}
    both["tool_calls"][1]["function"]["arguments"] = {}
    results = [
        {"role": "tool", "tool_call_id": name, "content": text} for name, text in (("2", "12:00"), ("1", "14:20"))
    ]
    read = messages_of(row_of(both, *results))
    assert [message["content"] for message in read[-3:-1]] == ["14:20", "12:00"]


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        ({"content": "I will look."}, "<|channel|>commentary<|message|>I will look."),
        ({"content": "", "thinking": "Hm."}, "<|channel|>analysis<|message|>Hm."),
        (
            {"content": "I will look.", "thinking": "Hm."},
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>I will look.",
        ),
    ],
)
@pytest.mark.parametrize("calls", [{"tool_calls": [call()]}, {}], ids=["its own call", "a call as the next turn"])
def test_what_an_assistant_says_before_a_call_is_no_final_answer(turn, text, calls):
    said = {"role": "assistant"} | turn | calls
    read = messages_of(row_of(said, *([] if calls else [CALLED]), RESULT))
    assert read == [ASKED, {"role": "assistant", "content": text}, CALLED, RESULT, ANSWER]


@pytest.mark.parametrize("silence", [{"content": "\n"}, {"content": ""}, {"content": " \t\n", "thinking": None}])
@pytest.mark.parametrize("calls", [{"tool_calls": [call()]}, {}], ids=["its own call", "a call as the next turn"])
def test_white_space_before_a_call_says_nothing(silence, calls):
    said = {"role": "assistant"} | silence | calls
    assert messages_of(row_of(said, *([] if calls else [CALLED]), RESULT)) == [ASKED, CALLED, RESULT, ANSWER]


@pytest.mark.parametrize(
    ("turns", "fault"),
    [
        ([{"role": "tool_call", "content": "get_tide"}, RESULT], "wrong-structure $.messages[1].content not a call"),
        ([{"role": "assistant", "tool_calls": [{"x": 1}]}, RESULT], "unknown-key $.messages[1].tool_calls.x"),
        ([{"role": "assistant", "tool_calls": [call(arguments=[1])]}, RESULT], "wrong-structure $.messages[1]"),
        (
            [{"role": "assistant", "tool_calls": [call(type="custom")]}, RESULT],
            "unsupported-key $.messages[1].tool_calls",
        ),
        (
            [{"role": "assistant", "tool_calls": [call()], "function_call": call()}, RESULT],
            "ambiguous-key $.messages[1]",
        ),
        ([RESULT], "wrong-structure $.messages 1 results of 0 calls"),
        ([CALLED, RESULT, RESULT], "wrong-structure $.messages 2 results of 1 calls"),
        ([CALLED, RESULT | {"role": "tool", "name": "get_time"}], "ambiguous-key $.messages a result of 'get_time'"),
        (
            [
                {"role": "assistant", "tool_calls": [call(id="a")]},
                {"role": "tool", "tool_call_id": "b", "content": "x"},
            ],
            "wrong-structure $.messages tool_call_id is not the id",
        ),
        (
            [
                {"role": "assistant", "tool_calls": [call(id="a"), call(id="b")]},
                {"role": "tool", "tool_call_id": "b", "content": "x"},
                {"role": "tool", "content": "y"},
            ],
            "wrong-structure $.messages tool_call_id is there for some",
        ),
        (
            [
                {"role": "assistant", "tool_calls": [{"name": "x", "arguments": {"a": 1}, "parameters": {"a": 2}}]},
                RESULT,
            ],
            "ambiguous-key $.messages[1].tool_calls a call says its arguments and parameters twice",
        ),
        (
            [{"role": "assistant", "tool_calls": [call(id="a") | {"name": "other"}]}, RESULT],
            "ambiguous-key $.messages[1].tool_calls a call says its name twice",
        ),
        ([{"role": "tool_call", "content": []}], "wrong-structure $.messages[1].content no call in it"),
        ([{"role": "user", "content": "?", "tool_calls": [call()]}], "unsupported-key $.messages[1].tool_calls"),
    ],
)
def test_a_call_or_a_result_that_cannot_be_read_is_named(turns, fault):
    assert fault_of(row_of(*turns)).startswith(fault)


def test_a_fault_after_several_calls_of_one_message_has_the_place_of_its_own_message():
    both = {"role": "assistant", "content": "Both.", "tool_calls": [call(), call()]}
    results = [{"role": "tool", "content": "14:20"}, {"role": "tool", "content": "15:10"}]
    source = locate_row(row_of(both, *results), "swift", Options())
    assert source.message_paths == [f"$.messages[{number}].content" for number in (0, 1, 1, 1, 2, 3, 4)]
