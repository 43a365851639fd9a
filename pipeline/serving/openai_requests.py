"""What a request in OpenAI's words means to ms-swift, and which one is refused: nothing that it says is passed over."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from swift.infer_engine.protocol import ChatCompletionRequest

from pipeline.models.system_message import EFFORTS

TOKENS = (1, 131072)  # the most that gpt-oss has room for
COUNTS = {
    "max_tokens": TOKENS, "max_completion_tokens": TOKENS, "n": (1, 8), "seed": (0, 2**31 - 1), "top_logprobs": (0, 20)
}  # fmt: skip
NUMBERS = {"temperature": (0, 2), "top_p": (0.001, 1)}
# Of OpenAI's, and without a meaning for an answer's text.
WITHOUT_EFFECT = {"user", "metadata", "store", "service_tier", "stream_options", "parallel_tool_calls"}
# Clients name these with values that mean nothing; with another value they would do nothing, or the wrong thing.
UNUSED: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,), "presence_penalty": (0,), "best_of": (1,), "min_p": (0,), "stop": ([], "")
}  # fmt: skip
OTHERS = {"model", "messages", "tools", "tool_choice", "chat_template_kwargs", "reasoning_effort"}
FLAGS = {"stream", "logprobs", "return_details"}
KNOWN = {*COUNTS, *NUMBERS, *WITHOUT_EFFECT, *UNUSED, *OTHERS, *FLAGS}
MARK = re.compile(r"<\|(?:start|end|message|channel|return|call|constrain|startoftext|endoftext)\|>")


def find_problem(body: Any) -> str | None:
    """Return in one line the part of a request that this server cannot do, None if it can do all."""
    if not isinstance(body, dict):
        return "the request is not an object of JSON"
    given = {name: value for name, value in body.items() if value is not None}
    for check in (find_unknown, find_unused, find_wrong_numbers, find_wrong_effort, find_wrong_tools, find_wrong_turns):
        if problem := next(check(given), None):
            return problem
    return None


def find_unknown(body: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each key that the server does not know."""
    yield from (f"{name}: not known to this server; leave it out" for name in sorted(body.keys() - KNOWN))


def find_unused(body: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each key that would do nothing."""
    for name in sorted(UNUSED.keys() & body.keys()):
        if body[name] not in UNUSED[name]:
            yield f"{name}: without effect on this server; leave it out"
    if "seed" in body and body.get("temperature") != 0:
        yield "seed: without effect on this server; leave it out, or set temperature to 0"
    if body.get("stream") and body.get("n", 1) != 1:
        yield "n: a stream has one answer; leave it out"
    if body.keys() >= {"max_tokens", "max_completion_tokens"}:
        yield "max_tokens: max_completion_tokens says the same; leave one of them out"


def find_wrong_numbers(body: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value out of its range."""
    for name, (least, most) in (COUNTS | NUMBERS).items():
        kind, whole = (int, "whole ") if name in COUNTS else ((int, float), "")
        value = body.get(name, most)
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            yield f"{name}: {value!r} is not a {whole}number from {least} to {most}"
    yield from (
        f"{name}: {body[name]!r} is neither true nor false"
        for name in FLAGS & body.keys()
        if body[name] not in (True, False)
    )


def find_wrong_effort(body: dict[str, Any]) -> Iterator[str]:
    """Yield a line for an effort that harmony does not have, or that is said twice."""
    options = body.get("chat_template_kwargs", {})
    if not isinstance(options, dict) or options.keys() - {"reasoning_effort"}:
        yield "chat_template_kwargs: only reasoning_effort is read; leave the others out"
        return
    efforts = [place["reasoning_effort"] for place in (body, options) if place.get("reasoning_effort") is not None]
    for effort in efforts:
        if effort not in EFFORTS:
            yield f"reasoning_effort: {effort!r} is not one of {', '.join(EFFORTS)}"
    if len({str(effort) for effort in efforts}) > 1:
        yield "reasoning_effort: chat_template_kwargs says another; leave one of them out"


def find_wrong_tools(body: dict[str, Any]) -> Iterator[str]:
    """Yield a line for tools of another kind than functions, and for a choice that only the model can make."""
    if body.get("tool_choice", "auto") not in ("auto", "none"):
        yield "tool_choice: the model decides on calls; set auto or none"
    tools = body.get("tools", [])
    if not isinstance(tools, list) or not all(map(is_function, tools)):
        yield "tools: only functions with a name are known; leave the others out"
    if mark := MARK.search(json.dumps(tools)):
        yield f"tools: {mark[0]} is a mark of harmony's; take it out"


def is_function(tool: Any) -> bool:
    """Say whether a tool is a function that a model can call by its name."""
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def find_wrong_turns(body: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each message but texts of the system, the user and the assistant."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages: empty; the last one is the user's question"
        return
    for number, message in enumerate(messages):
        yield from (f"messages[{number}]{problem}" for problem in find_wrong_turn(message, first=number == 0))
    if isinstance(messages[-1], dict) and messages[-1].get("role") != "user":
        yield f"messages[{len(messages) - 1}].role: the last message is the user's question"


def find_wrong_turn(message: Any, first: bool) -> Iterator[str]:
    """Yield the faults of a message, from its key on."""
    given = {key: value for key, value in message.items() if value is not None} if isinstance(message, dict) else {}
    roles = ("system", "developer", "user") if first else ("user", "assistant")
    if given.get("role") not in roles:
        yield f".role: not one of {', '.join(roles)}, in this place; turns of tools are not read"
    yield from (f".{key}: not read by this server; leave it out" for key in sorted(given.keys() - {"role", "content"}))
    text = text_of(given.get("content"))
    if text is None or (not text.strip() and given.get("role") in ("user", "assistant")):
        yield ".content: no text; the model reads text alone"
    elif mark := MARK.search(text):
        yield f".content: {mark[0]} is a mark of harmony's; take it out"


def text_of(content: Any) -> str | None:
    """Return the text of a message, also where it comes as parts; None if it is more than text."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    known = [text for text in texts if isinstance(text, str)]
    return "".join(known) if len(known) == len(parts) else None


def read_request(body: dict[str, Any]) -> ChatCompletionRequest:
    """Return a request without a problem in ms-swift's words; keys that it does not have are without an effect."""
    names = {field.name for field in fields(ChatCompletionRequest)} - UNUSED.keys() - {"model"}
    given = {name: body[name] for name in names & body.keys() if body[name] is not None}
    request = ChatCompletionRequest(model=body.get("model"), **given)
    if effort := body.get("reasoning_effort"):
        request.chat_template_kwargs = {**request.chat_template_kwargs, "reasoning_effort": effort}
    request.max_tokens = body.get("max_completion_tokens") or request.max_tokens
    for message in request.messages:
        message["content"] = text_of(message["content"])
        if message["role"] == "developer":
            message["role"] = "system"
    return request
