"""preferences/prompt_settings.py: the tools and the effort of a row, or why they cannot be read."""

import json
from typing import Any

import pytest

from pipeline.preferences.problems import Rejected
from pipeline.preferences.prompt_settings import PromptSettings, take_settings
from pipeline.preferences.row_keys import Unread

PORT = {"type": "object", "properties": {"port": {"type": "string"}}}
TIDE = {"name": "get_tide", "description": "Tide of a port", "parameters": PORT}
LISTED = [{"type": "function", "function": TIDE}]


def settings_of(**row: Any) -> PromptSettings:
    return take_settings(row, Unread())[1]


def fault_of(**row: Any) -> str:
    with pytest.raises(Rejected) as refused:
        take_settings(row, Unread())
    return " ".join(f"{finding.code} {finding.path}" for finding in refused.value.findings)


@pytest.mark.parametrize(
    "tools", [LISTED, json.dumps(LISTED), [json.dumps(LISTED[0])], [TIDE], TIDE, [{"type": "function"} | TIDE]]
)
def test_tools_are_listed_as_openai_lists_them_however_they_are_written(tools):
    assert settings_of(tools=tools).tools == LISTED


def test_a_function_may_have_a_name_alone():
    tools = [{"type": "function", "function": {"name": "get_time", "description": None, "parameters": None}}]
    assert settings_of(tools=tools).tools == [{"type": "function", "function": {"name": "get_time"}}]


def test_nulls_that_a_table_fills_in_are_no_parameters_and_a_default_may_be_null():
    told = {"port": {"type": "string", "default": None}}
    filled = {"port": {"type": "string", "default": None, "enum": None}, "room": None}
    (tool,) = settings_of(tools=[{"name": "f", "parameters": {"type": "object", "properties": filled}}]).tools or []
    assert tool["function"]["parameters"] == {"type": "object", "properties": told}


@pytest.mark.parametrize("tools", [[], "[]", None, "", [{}]])
def test_empty_tools_are_not_there(tools):
    assert settings_of(tools=tools).tools is None


def test_a_key_that_no_text_says_is_counted():
    unread = Unread()
    take_settings({"tools": [{"type": "function", "function": TIDE | {"strict": True}}]}, unread)
    assert unread == {"tools[].strict": 1}


@pytest.mark.parametrize(
    ("tools", "fault"),
    [
        ("get_tide", "wrong-structure $.tools[0]"),
        ([{"type": "web_search"}], "unsupported-key $.tools[0]"),
        ([{"type": "function", "function": "get_tide"}], "wrong-structure $.tools[0]"),
        ([{"name": 5}], "wrong-structure $.tools[0]"),
        ([{"name": "get tide"}], "wrong-structure $.tools[0]"),
        ([TIDE | {"description": 5}], "wrong-structure $.tools[0]"),
        ([TIDE | {"parameters": "port"}], "wrong-structure $.tools[0]"),
        ([TIDE | {"returns": "text"}], "unknown-key $.tools[0].returns"),
        ([LISTED[0] | {"mood": "calm"}], "unknown-key $.tools[0].mood"),
        ([TIDE, TIDE], "wrong-structure $.tools"),
        ([TIDE | {"description": "<|end|>"}], "control-token $.tools"),
        ([TIDE | {"parameters": {"properties": {"<|end|>": {}}}}], "control-token $.tools"),
    ],
)
def test_a_tool_that_cannot_be_declared_is_named(tools, fault):
    assert fault_of(tools=tools) == fault


@pytest.mark.parametrize(
    "row",
    [
        {"reasoning_effort": "high"},
        {"chat_template_kwargs": {"reasoning_effort": "high"}},
        {"chat_template_kwargs": '{"reasoning_effort": "high"}'},
        {"reasoning_effort": "high", "chat_template_kwargs": {"reasoning_effort": "high", "x": None}},
    ],
)
def test_an_effort_is_read_from_the_row_and_from_the_settings_of_its_template(row):
    assert settings_of(**row).effort == "high"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"reasoning_effort": "High"}, "reasoning-effort $.reasoning_effort"),
        ({"reasoning_effort": ["low"]}, "reasoning-effort $.reasoning_effort"),
        ({"chat_template_kwargs": {"reasoning_effort": 1}}, "reasoning-effort $.chat_template_kwargs.reasoning_effort"),
        (
            {"reasoning_effort": "low", "chat_template_kwargs": {"reasoning_effort": "high"}},
            "reasoning-effort $.chat_template_kwargs.reasoning_effort",
        ),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "unknown-key $.chat_template_kwargs.enable_thinking"),
        ({"chat_template_kwargs": "low"}, "wrong-structure $.chat_template_kwargs"),
    ],
)
def test_an_effort_that_is_none_of_the_three_or_stands_twice_is_named(row, fault):
    assert fault_of(**row) == fault
