"""Read calls of tools and their results, as messages of several kinds hold them.

Sources: OpenAI's chat completions (tool_calls, tool_call_id, function_call), ms-swift's and LLaMA-Factory's turns
(tool_call, function_call, observation).
"""

import json
from itertools import groupby
from typing import Any

from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.row_keys import Unread, is_empty, matches
from pipeline.preferences.strict_json import read_json

CALL_KEYS = ("tool_calls", "function_call")  # of an assistant's message
OF_CALL = {"function", "name", "arguments", "parameters", "id", "type"}
ROLES = {
    "tool_call": "tool_call",
    "function_call": "tool_call",
    "tool": "tool_response",
    "tool_response": "tool_response",
    "function": "tool_response",
    "observation": "tool_response",
    "ipython": "tool_response",
}

Turn = dict[str, Any]


def take_calls(named: Turn, path: str, ignore: frozenset[str], unread: Unread) -> list[Turn]:
    """Take the calls out of an assistant's message, and return them as messages of their own."""
    found = {key: named.pop(key) for key in CALL_KEYS if key in named and not matches(key, ignore)}
    given = [key for key, value in found.items() if not is_empty(read_json(value))]
    if len(given) > 1:
        raise Rejected(Finding("ambiguous-key", path, f"{' and '.join(given)} both hold calls"))
    return [turn for key in given for turn in read_calls(found[key], f"{path}.{key}", unread)]


def read_calls(value: Any, path: str, unread: Unread) -> list[Turn]:
    """Return the calls of a value, which may be one of them, or JSON text, each as a message."""
    value = read_json(value)
    calls = value if isinstance(value, list) else [value]
    if not calls:
        raise Rejected(Finding("wrong-structure", path, "no call in it"))
    return [read_call(read_json(call), path, unread) for call in calls]


def read_call(call: Any, path: str, unread: Unread) -> Turn:
    """Return a call as a message, with its id where it has one."""
    if not isinstance(call, dict):
        raise Rejected(Finding("wrong-structure", path, 'not a call: {"name": …, "arguments": {…}}'))
    held = read_json(call.get("function", {}))
    inner = call | held if isinstance(held, dict) else call | {"name": held}
    if call.get("type", "function") != "function":
        raise Rejected(Finding("unsupported-key", path, f"a call of type {call['type']!r}: functions alone are read"))
    if lost := next((key for key, value in inner.items() if key not in OF_CALL and not is_empty(value)), None):
        if lost != "index":
            raise Rejected(Finding("unknown-key", f"{path}.{lost}", f"nothing reads {lost!r} of a call"))
        unread["tool_calls[].index"] += 1
    refuse_two_values(call, inner, path)
    name, arguments = inner.get("name"), inner.get("arguments", inner.get("parameters"))
    arguments = {} if is_empty(arguments) and not isinstance(arguments, dict) else read_json(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise Rejected(Finding("wrong-structure", path, "a call needs a name, and arguments as an object of JSON"))
    turn = {"role": "tool_call", "content": write_call(name, arguments)}
    return turn | ({"id": call["id"]} if call.get("id") else {})


def refuse_two_values(call: Turn, inner: Turn, path: str) -> None:
    """Raise Rejected for a call that says its name or its arguments twice, in two ways."""
    twice: dict[str, tuple[Any, Any]] = {
        key: (call[key], inner[key]) for key in sorted(OF_CALL & call.keys() - {"function"})
    }
    twice["arguments and parameters"] = (inner.get("arguments"), inner.get("parameters"))
    for key, (one, other) in twice.items():
        if not is_empty(one) and not is_empty(other) and read_json(one) != read_json(other):
            raise Rejected(Finding("ambiguous-key", path, f"a call says its {key} twice, in two ways"))


def write_call(name: str, arguments: dict[str, Any]) -> str:
    """Return a call as the content of its message."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def take_answered(named: Turn, path: str) -> Turn:
    """Take out of a message with a result which call it answers: its id, and the name of the function."""
    said = {ours: named.pop(key, None) for ours, key in (("id", "tool_call_id"), ("name", "name"))}
    for key, value in said.items():
        if value is not None and not isinstance(value, str):
            raise Rejected(Finding("wrong-structure", f"{path}.{key}", "not a text"))
    return {key: value for key, value in said.items() if value}


def order_results(turns: list[Turn], path: str) -> list[Turn]:
    """Return messages in which results stand in the order of the calls before them, without ids and names.

    Rejected: a result of a call that is not there, or of another function.
    """
    ordered: list[Turn] = []
    calls: list[Turn] = []
    for role, group in groupby(turns, key=lambda turn: turn["role"]):
        found = list(group)
        if role == "tool_response":
            found = match_results(calls, found, path)
        calls = found if role == "tool_call" else []
        ordered += [{"role": turn["role"], "content": turn["content"]} for turn in found]
    return ordered


def match_results(calls: list[Turn], results: list[Turn], path: str) -> list[Turn]:
    """Return results in the order of their calls, by their ids, else by their names; each call has one result."""
    if len(calls) != len(results):
        said = f"{len(results)} results of {len(calls)} calls before them"
        raise Rejected(Finding("wrong-structure", path, said))
    if len({"id" in result for result in results}) > 1:
        raise Rejected(Finding("wrong-structure", path, "tool_call_id is there for some of the results alone"))
    ids = [str(call["id"]) for call in calls if call.get("id") is not None]
    if all("id" in result for result in results) and len(ids) == len(calls):
        if sorted(result["id"] for result in results) != sorted(ids) or len(set(ids)) < len(ids):
            raise Rejected(Finding("wrong-structure", path, "tool_call_id is not the id of a call before it"))
        results = sorted(results, key=lambda result: ids.index(result["id"]))
    names = [bare_name(json.loads(call["content"])["name"]) for call in calls]
    named = [bare_name(result.get("name", "")) for result in results]
    if "id" not in results[0] and sorted(named) == sorted(names):
        of_name = {name: iter([r for r, own in zip(results, named, strict=True) if own == name]) for name in names}
        return [next(of_name[name]) for name in names]
    for name, result in zip(names, results, strict=True):
        if bare_name(result.get("name", name)) != name:
            raise Rejected(Finding("ambiguous-key", path, f"a result of {result['name']!r} follows a call of {name!r}"))
    return results


def bare_name(name: str) -> str:
    """Return the name of a function without harmony's namespace, in which all of a row's functions are."""
    return name.removeprefix("functions.")
