"""Give a pair what harmony has beside texts: tools and their calls, the effort, and the thinking that is kept."""

import json
import re
from typing import Any

from msgspec import UNSET

from pipeline.models.channels import CHANNEL, FINAL, PREAMBLE
from pipeline.preferences.formats.source import Source
from pipeline.preferences.marks import MARKS_OF
from pipeline.preferences.options import Options
from pipeline.preferences.pair import Message, TemplateSettings
from pipeline.preferences.problems import Finding, Rejected
from pipeline.preferences.prompt_settings import PromptSettings, choose_effort
from pipeline.preferences.tool_turns import bare_name, write_call

# In a line of JSON: what only this module reads. ASCII may be escaped, too.
SIGNS = re.compile(rb"<\|channel\|>|(?i:easoning(?: effort)?:)|tool_(?:call|response)|\\u00[0-7]")
QUICK_SIGNS = (b"<|channel|>", b"easoning", b"EASONING", b"tool_", b"\\u00")  # a line with a sign holds one of these
ANALYSIS = re.compile(r"<\|channel\|>analysis<\|message\|>(?:(?!<\|).)*(?:<\|end\|><\|start\|>assistant|\Z)", re.DOTALL)
BEFORE_NEXT = "<|end|><|start|>assistant"
(EFFORT_LINE,) = (mark.pattern for mark in MARKS_OF["reasoning-effort"])
WORD = re.compile(r"low|medium|high", re.IGNORECASE)


def may_hold_parts(data: bytes) -> bool:
    """Say whether lines of JSON may hold what only this module reads."""
    return any(sign in data for sign in QUICK_SIGNS) and SIGNS.search(data) is not None


def add_parts(source: Source, settings: PromptSettings, options: Options) -> Source:
    """Return a pair with its tools and its effort, whose calls are checked, without thinking that is dropped."""
    source = take_effort(source, settings.effort)
    if settings.tools:
        source.pair.tools = settings.tools
    source = name_calls(source)
    return source if options.keeps_thinking else drop_thinking(source)


# The effort


def take_effort(source: Source, effort: str | None) -> Source:
    """Return a pair with its effort, which a line of its system message may say; the line is taken out."""
    pair, first = source.pair, source.pair.messages[0]
    said = {"$.reasoning_effort": effort}
    if first.role == "system":
        rest = first.content
        while found := EFFORT_LINE.search(rest):
            said[f"{source.message_paths[0]} {len(said)}"] = WORD.search(found[0])[0].lower()  # type: ignore[index]
            rest = join_around(rest[: found.start()], rest[found.end() :])
        if rest != first.content:
            source = replace_texts(source, {0: rest})
    try:
        effort = choose_effort(said)
    except Rejected as refused:
        (finding,) = refused.findings
        raise Rejected(finding._replace(path=finding.path.partition(" ")[0])) from None
    if effort:
        pair.chat_template_kwargs = TemplateSettings(effort)
    return source


def join_around(before: str, after: str) -> str:
    """Return the text around a line that is taken out, with one blank line at most in its place."""
    gap = "\n\n" if before.endswith("\n\n") or after.startswith("\n\n") else "\n"
    return gap.join(filter(None, (before.rstrip("\n"), after.lstrip("\n"))))


def replace_texts(source: Source, texts: dict[int, str]) -> Source:
    """Return a pair in which some messages have other texts; one whose text is empty is left out."""
    both = list(zip(source.pair.messages, source.message_paths, strict=True))
    changed = [
        (Message(message.role, texts[number]) if number in texts else message, path)
        for number, (message, path) in enumerate(both)
        if texts.get(number, message.content).strip() or number not in texts
    ]
    source.pair.messages = [message for message, _ in changed]
    return source._replace(message_paths=[path for _, path in changed])


# Calls


def name_calls(source: Source) -> Source:
    """Return a pair whose calls are of functions that its tools declare.

    What an assistant says before it calls is its analysis, or the preamble in harmony's commentary channel.
    """
    pair, texts = source.pair, {}
    names = {tool["function"]["name"] for tool in ([] if pair.tools is UNSET else pair.tools)}
    for number, message in enumerate(pair.messages):
        if message.role != "tool_call":
            continue
        name, arguments = read_call(message.content, source.message_paths[number])
        name = name if name in names else bare_name(name)
        if name not in names:
            raise Rejected(Finding("undeclared-tool", source.message_paths[number], f"{name!r} is not in tools"))
        texts[number] = write_call(name, arguments)
        before = pair.messages[number - 1]
        if before.role == "assistant":
            texts[number - 1] = say_before_call(before.content)
    return replace_texts(source, texts) if texts else source


def read_call(content: str, path: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of a call."""
    try:
        call = json.loads(content)
    except ValueError:
        call = None
    match call:
        case {"name": str(name), "arguments": dict(arguments), **rest} if not rest:
            return name, arguments
    raise Rejected(Finding("wrong-structure", path, 'not a call: {"name": …, "arguments": {…}}'))


def say_before_call(text: str) -> str:
    """Return the text of an assistant before its call: with nothing in the final channel."""
    if not text.startswith(CHANNEL):
        return PREAMBLE + text
    analysis, final, said = text.partition(FINAL)
    if final and said.strip():
        return analysis + PREAMBLE + said
    return analysis.removesuffix(BEFORE_NEXT)


# Thinking


def without_analyses(text: str) -> str:
    """Return an answer without the analyses before its final text."""
    while ANALYSIS.match(text):
        text = ANALYSIS.sub("", text, count=1)
    return text.removeprefix(FINAL)


def drop_thinking(source: Source) -> Source:
    """Return a pair without the thinking of earlier turns, as harmony leaves it out once a final answer has followed.

    The thinking of the answers is kept, and that between calls of the last turn.
    """
    messages = source.pair.messages
    last = max((number for number, message in enumerate(messages) if message.role == "user"), default=0)
    texts = {
        number: without_analyses(message.content)
        for number, message in enumerate(messages[:last])
        if message.role == "assistant" and ANALYSIS.match(message.content)
    }
    if not texts:
        return source
    return replace_texts(source, texts)._replace(warnings=(*source.warnings, "earlier-thinking"))
