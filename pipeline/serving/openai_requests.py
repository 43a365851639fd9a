"""What a request in OpenAI's words means to ms-swift, and which one is refused: nothing that it says is passed over."""

from dataclasses import fields
from typing import Any

from swift.infer_engine.protocol import ChatCompletionRequest

from pipeline.models.system_message import EFFORTS

# Of OpenAI's, and without a meaning for an answer's text.
WITHOUT_EFFECT = {"user", "metadata", "store", "service_tier", "stream_options", "parallel_tool_calls"}
# Under other names in ms-swift.
OTHER_NAMES = {"reasoning_effort", "max_completion_tokens"}
KNOWN = {field.name: field.default for field in fields(ChatCompletionRequest)}
MEDIA = {"images", "audios", "videos", "objects"}
# ms-swift takes these, and does nothing with them where transformers answers. Clients name them with their defaults.
UNUSED = {"best_of", "frequency_penalty", "min_p", "presence_penalty", "prompt_logprobs", "structured_outputs_regex"}


def find_problem(body: dict[str, Any]) -> str | None:
    """Return in one line the part of a request that this server cannot do, None if it can do all."""
    return find_unknown(body) or find_unused(body) or find_wrong_effort(body) or find_media(body)


def find_unknown(body: dict[str, Any]) -> str | None:
    """Return the line for a key that the server does not know."""
    unknown = sorted(body.keys() - (KNOWN.keys() - MEDIA) - OTHER_NAMES - WITHOUT_EFFECT)
    return f"{unknown[0]}: not known to this server; leave it out" if unknown else None


def find_unused(body: dict[str, Any]) -> str | None:
    """Return the line for a key that would do nothing."""
    for name in sorted(UNUSED & body.keys()):
        if body[name] not in (None, KNOWN[name]):
            return f"{name}: without effect on this server; leave it out"
    if body.get("seed") is not None and body.get("temperature") != 0:
        return "seed: without effect on this server; leave it out, or set temperature to 0"
    if body.get("stream") and body.get("n") not in (None, 1):
        return "n: a stream has one answer; leave it out"
    if body.get("tool_choice") == "required":
        return "tool_choice: the model decides on calls; set auto or none"
    return None


def find_wrong_effort(body: dict[str, Any]) -> str | None:
    """Return the line for an effort that harmony does not have."""
    for place in (body, body.get("chat_template_kwargs") or {}):
        effort = place.get("reasoning_effort")
        if effort is not None and effort not in EFFORTS:
            return f"reasoning_effort: {effort!r} is not one of {', '.join(EFFORTS)}"
    return None


def find_media(body: dict[str, Any]) -> str | None:
    """Return the line for a message with more than text."""
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") != "text" for part in content):
            return "messages: the model reads text alone; leave out parts of another type"
    return None


def take_names(request: ChatCompletionRequest, body: dict[str, Any]) -> None:
    """Give a request what OpenAI's clients say under other names than ms-swift's."""
    if effort := body.get("reasoning_effort"):
        request.chat_template_kwargs = {**request.chat_template_kwargs, "reasoning_effort": effort}
    request.max_tokens = body.get("max_completion_tokens") or request.max_tokens
    for message in request.messages:
        if message["role"] == "developer":
            message["role"] = "system"
