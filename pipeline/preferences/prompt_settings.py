"""Read what a row says of its prompt beside the messages: its tools, and its reasoning effort."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

from pipeline.preferences.checks import CONTROL_TOKEN
from pipeline.preferences.pair import Effort
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.row_keys import Unread, is_empty, name_key
from pipeline.preferences.strict_json import read_json

KEYS = frozenset({"tools", "reasoning_effort", "chat_template_kwargs"})
EFFORTS: tuple[Effort, ...] = get_args(Effort)
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_.-]+")
LITERAL = ("default", "const")  # keys of a schema that hold a value, and not a schema
OF_FUNCTION = ("name", "description", "parameters")

Tool = dict[str, Any]


class PromptSettings(NamedTuple):
    """The tools of a row, as OpenAI lists functions, and its reasoning effort."""

    tools: list[Tool] | None = None
    effort: Effort | None = None

    def as_row(self) -> dict[str, Any]:
        """Return them as keys of a row, those that it has."""
        said = {"tools": self.tools, "reasoning_effort": self.effort}
        return {key: value for key, value in said.items() if value is not None}


def take_settings(row: dict[str, Any], unread: Unread) -> tuple[dict[str, Any], PromptSettings]:
    """Return a row under our names without the settings of its prompt, and these. Rejected: what cannot be read."""
    if not KEYS & row.keys():
        return row, PromptSettings()
    rest = {key: value for key, value in row.items() if key not in KEYS}
    kwargs = read_json(row.get("chat_template_kwargs"))
    if not (kwargs is None or kwargs == "" or isinstance(kwargs, dict)):
        raise Rejected(Finding("wrong-structure", "$.chat_template_kwargs", "not an object"))
    said = {f"$.chat_template_kwargs.{key}": value for key, value in (kwargs or {}).items() if not is_empty(value)}
    inner = said.pop("$.chat_template_kwargs.reasoning_effort", None)
    if said:
        raise Rejected(*(name_key(path.rpartition(".")[2], path.rpartition(".")[0]) for path in said))
    efforts = {"$.reasoning_effort": row.get("reasoning_effort"), "$.chat_template_kwargs.reasoning_effort": inner}
    return rest, PromptSettings(read_tools(row.get("tools"), unread), choose_effort(efforts))


def choose_effort(said: dict[str, Any]) -> Effort | None:
    """Return the one effort that is said at some paths, None where there is none."""
    found = {path: value for path, value in said.items() if not is_empty(value)}
    for path, value in found.items():
        if value not in EFFORTS:
            raise Rejected(Finding("reasoning-effort", path, f"{value!r} is not one of {', '.join(EFFORTS)}"))
    if len(set(found.values())) > 1:
        raise Rejected(Finding("reasoning-effort", list(found)[-1], f"{' and '.join(found.values())} in one row"))
    return next(iter(found.values()), None)


# Tools


def read_tools(value: Any, unread: Unread) -> list[Tool] | None:
    """Return the functions of a list, which may be JSON text, as OpenAI lists them; None where there are none."""
    value = read_json(value)
    if is_empty(value):
        return None
    tools = [read_json(tool) for tool in (value if isinstance(value, list) else [value])]
    read = [read_tool(tool, f"$.tools[{number}]", unread) for number, tool in enumerate(tools)]
    names = [tool["function"]["name"] for tool in read]
    if len(set(names)) < len(names):
        raise Rejected(Finding("wrong-structure", "$.tools", "two functions of one name"))
    if found := next((text for text in texts_of(read) if CONTROL_TOKEN.search(text)), None):
        token = CONTROL_TOKEN.search(found)
        raise Rejected(Finding("control-token", "$.tools", f"the token {token and token[0]} in a tool"))
    return read


def read_tool(tool: Any, path: str, unread: Unread) -> Tool:
    """Return a function as OpenAI lists it, for one that may stand without its wrapper."""
    if not isinstance(tool, dict):
        raise Rejected(Finding("wrong-structure", path, "not a function"))
    if tool.get("type", "function") != "function":
        raise Rejected(Finding("unsupported-key", path, f"a tool of type {tool['type']!r}: functions alone are read"))
    is_wrapped = "function" in tool
    function = tool["function"] if is_wrapped else {key: value for key, value in tool.items() if key != "type"}
    if not isinstance(function, dict) or not isinstance(name := function.get("name"), str):
        raise Rejected(Finding("wrong-structure", path, "a function needs a name"))
    if not FUNCTION_NAME.fullmatch(name):
        raise Rejected(
            Finding("wrong-structure", path, f"{name!r} cannot name a function: letters, digits and _ . - alone")
        )
    rest = {key: value for key, value in function.items() if key not in OF_FUNCTION}
    rest |= {key: value for key, value in tool.items() if is_wrapped and key not in ("type", "function")}
    for key in (key for key, value in rest.items() if not is_empty(value)):
        if key != "strict":  # how an answer is decoded, which no text says
            raise Rejected(name_key(key, path))
        unread["tools[].strict"] += 1
    description, parameters = function.get("description"), function.get("parameters")
    if not isinstance(description, str | None) or not isinstance(parameters, dict | None):
        raise Rejected(Finding("wrong-structure", path, "a description is text, and parameters are an object"))
    kept = {key: without_nulls(function[key]) for key in OF_FUNCTION if function.get(key) is not None}
    return {"type": "function", "function": kept}


def without_nulls(schema: Any) -> Any:
    """Return a schema without the nulls that a table puts where another row has a key; a default may be null."""
    if isinstance(schema, list):
        return [without_nulls(child) for child in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: child for key, child in schema.items() if child is not None or key in LITERAL}
    return {key: child if key in LITERAL else without_nulls(child) for key, child in kept.items()}


def texts_of(value: Any) -> Iterator[str]:
    """Yield the texts and the keys of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for child in value.values():
            yield from texts_of(child)
    elif isinstance(value, Sequence):
        for child in value:
            yield from texts_of(child)
