"""models/harmony_tools.py: tools, calls and responses have the tokens that openai-harmony gives them."""

import json
import random
from typing import Any

import pytest
from openai_harmony import (
    Author,
    Conversation,
    DeveloperContent,
    Message,
    Role,
    ToolDescription,
)

from pipeline.models.harmony_tools import write_call, write_response, write_tools

pytestmark = pytest.mark.training_environment

PORT = {"type": "string", "description": "Name of the port"}
CHOICE = {"oneOf": [{"type": "string", "description": "A name"}, {"type": "integer", "default": 3}]}


def of_one(schema: Any, **keys: Any) -> dict[str, Any]:
    """Return the parameters of a function that takes one value."""
    return {"type": "object", "properties": {"port": schema}, **keys}


# Parameters by what is special about them.
PARAMETERS: dict[str, Any] = {
    "nothing is said": None,
    "anything": {},
    "no property": {"type": "object", "properties": {}},
    "one that must be given": of_one(PORT, required=["port"]),
    "one that may be given": of_one({"type": "string"}),
    "several": {"type": "object", "properties": {"b": PORT, "a": {"type": "integer"}, "ü": {"type": "boolean"}}},
    "a list of texts to choose from": of_one({"type": "string", "enum": ["Brest", "Cork"], "default": "Cork"}),
    "a list of numbers to choose from": of_one({"type": "integer", "enum": [1, 2], "default": 2}),
    "a default text": of_one({"type": "string", "default": 'a "b"'}),
    "a default list": of_one({"type": "array", "items": {"type": "number"}, "default": [1, 2.5, "é", None]}),
    "a default object": of_one({"type": "object", "default": {"a": {"b": True}}}),
    "a default null": of_one({"type": "string", "default": None}),
    "null": of_one({"type": "string", "nullable": True}),
    "a type of null beside it": of_one({"type": ["string", "null"], "nullable": True}),
    "several types": of_one({"type": ["integer", "string"]}),
    "an array of anything": of_one({"type": "array"}),
    "an array of arrays": of_one({"type": "array", "items": {"type": "array", "items": PORT}}),
    "an array of objects": of_one({"type": "array", "items": of_one(PORT, description="A port")}),
    "objects in objects": of_one(of_one(of_one(PORT, required=["port"]), description="The last leg")),
    "a title and examples": of_one({"type": "string", "title": "Port", "examples": ["Brest", 1, "Cork"]}),
    "a description of several lines": of_one({"type": "string", "description": "One.\nTwo.\n"}),
    "a description of the whole": of_one(PORT, description="What is asked."),
    "no object as a schema": of_one(True),
    "an array of no object": of_one({"type": "array", "items": True}),
    "a choice of no object": of_one({"oneOf": [True, None]}),
    "an unknown type": of_one({"type": "date"}),
    "anyOf, which harmony does not know": of_one({"anyOf": [{"type": "string"}]}),
    "a choice": of_one(CHOICE, required=["port"]),
    "a choice with a description": of_one(CHOICE | {"description": "A port", "default": "Brest"}),
    "a choice with the description of its first": of_one(CHOICE | {"description": "A name"}),
    "a choice of a list": of_one({"oneOf": [{"type": "string", "enum": ["a"], "default": "a"}, {"nullable": True}]}),
    "a choice in an array": of_one({"type": "array", "items": CHOICE}),
    "a choice in a choice": of_one({"oneOf": [CHOICE, of_one(CHOICE)]}),
    "a choice of nothing": of_one({"oneOf": []}),
    "a choice as the whole": {"oneOf": [of_one(PORT), {"type": "string", "enum": ["a"], "default": "a"}]},
}
DESCRIPTIONS = ["", "Tide of a port", "One.\nTwo.", "One.\r\n\nThree.\n", "\n"]


def tool(name: str, description: str | None, parameters: Any) -> dict[str, Any]:
    """Return a function as OpenAI's list of tools has it."""
    said = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": {key: value for key, value in said.items() if value is not None}}


def declared(harmony: Any, tools: list[dict[str, Any]]) -> str:
    """Return the section of tools that openai-harmony writes in a developer message."""
    functions = [each["function"] for each in tools]
    told = [ToolDescription.new(f["name"], f.get("description", ""), f.get("parameters")) for f in functions]
    content = DeveloperContent.new().with_function_tools(told)
    text = rendered(harmony, Message.from_role_and_content(Role.DEVELOPER, content))
    return text.removeprefix("<|start|>developer<|message|>").removesuffix("<|end|>")


def rendered(harmony: Any, message: Message) -> str:
    """Return a message as openai-harmony writes it."""
    return harmony.decode_utf8(harmony.render(message))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_tool_is_declared_as_harmony_declares_it(harmony, name):
    tools = [tool("get_tide", "Tide of a port", PARAMETERS[name])]
    assert write_tools(tools) == declared(harmony, tools)


@pytest.mark.parametrize("description", DESCRIPTIONS)
def test_a_description_is_written_line_by_line(harmony, description):
    tools = [tool("get_tide", description, of_one(PORT))]
    assert write_tools(tools) == declared(harmony, tools)


def test_a_tool_without_a_description_has_no_remark(harmony):
    assert write_tools([tool("a", None, None)]) == declared(harmony, [tool("a", "", None)])


def test_several_tools_are_declared_one_after_the_other(harmony):
    tools = [tool(f"tool_{number}", DESCRIPTIONS[number % 5], said) for number, said in enumerate(PARAMETERS.values())]
    assert write_tools(tools) == declared(harmony, tools)


def test_no_tool_is_no_section():
    assert write_tools([]) == ""


def draw_schema(drawn: random.Random, depth: int) -> dict[str, Any]:
    """Draw a schema of the keys that harmony reads."""
    schema = {"description": "D", "title": "T", "examples": ["e"], "nullable": True, "default": "d", "enum": ["d", "e"]}
    schema = {key: value for key, value in schema.items() if drawn.random() < 0.3}
    kinds = ["string", "integer", "boolean", ["string", "null"], *(["object", "array", "oneOf"] * (depth > 0))]
    match drawn.choice(kinds):
        case "object":
            names = drawn.sample("abcd", 2)
            children = {name: draw_schema(drawn, depth - 1) for name in names}
            return schema | {"type": "object", "properties": children, "required": names[:1]}
        case "array":
            return schema | {"type": "array", "items": draw_schema(drawn, depth - 1)}
        case "oneOf":
            return schema | {"oneOf": [draw_schema(drawn, depth - 1) for _ in range(2)]}
        case kind:
            return schema | {"type": kind}


def test_schemas_drawn_at_random_are_written_as_harmony_writes_them(harmony):
    drawn = random.Random(25)
    for schema in [draw_schema(drawn, 3) for _ in range(500)]:
        tools = [tool("drawn", "", schema)]
        assert write_tools(tools) == declared(harmony, tools), json.dumps(schema)


@pytest.mark.parametrize("arguments", [{}, {"port": "Brest"}, {"a": [1, 2.5, None, True], "ü": {"é": '"\n'}}])
def test_a_call_is_written_as_harmony_writes_it(harmony, arguments):
    written = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    message = (
        Message.from_role_and_content(Role.ASSISTANT, written)
        .with_channel("commentary")
        .with_recipient("functions.get_tide")
        .with_content_type("<|constrain|>json")
    )
    content = json.dumps({"name": "get_tide", "arguments": arguments})
    assert f"<|start|>assistant{write_call(content)}" == rendered(harmony, message)


def test_a_response_is_written_as_harmony_writes_it(harmony):
    author = Author.new(Role.TOOL, "functions.get_tide")
    message = (
        Message.from_author_and_content(author, '{"high": "14:20"}')
        .with_channel("commentary")
        .with_recipient("assistant")
    )
    assert write_response("get_tide", '{"high": "14:20"}') == rendered(harmony, message)


def test_a_conversation_with_tools_has_the_tokens_of_harmony(harmony):
    tools = [tool("get_tide", "Tide of a port", of_one(PORT))]
    told = [ToolDescription.new(f["name"], f["description"], f["parameters"]) for f in (tools[0]["function"],)]
    content = DeveloperContent.new().with_function_tools(told)
    asked = Conversation.from_messages([Message.from_role_and_content(Role.DEVELOPER, content)])
    text = f"<|start|>developer<|message|>{write_tools(tools)}<|end|>"
    assert harmony.encode(text, allowed_special="all") == harmony.render_conversation(asked)
