"""ms-swift's rendering against openai-harmony's, the reference: same tokens, except where these tests say."""

import json
import random
import re

import pytest
from openai_harmony import (
    Author,
    Conversation,
    DeveloperContent,
    Message,
    ReasoningEffort,
    RenderConversationConfig,
    Role,
    SystemContent,
    ToolDescription,
)
from transformers import AutoTokenizer

from tests.support.golden_prompts import NAMES, PROMPT, read_golden
from tests.support.random_texts import random_text

pytestmark = pytest.mark.training_environment

CHANNEL = re.compile(r"<\|channel\|>(\w+)<\|message\|>")
KEEP_ANALYSIS = RenderConversationConfig(auto_drop_analysis=False)
END, RETURN = 200007, 200002
WITH_EARLIER_THINKING = ["thinking-in-turns"]
OTHERS = sorted(set(NAMES) - set(WITH_EARLIER_THINKING))


def to_harmony(message: dict[str, str], calls: list[str], is_last: bool) -> list[Message]:
    """Return one turn as harmony's messages: thinking and answer are two. `calls` are those without a result yet."""
    text, role = message["content"], message["role"]
    if role == "user":
        return [Message.from_role_and_content(Role.USER, text)]
    if role == "tool_call":
        call = json.loads(text)
        calls.append(f"functions.{call['name']}")
        arguments = json.dumps(call["arguments"], ensure_ascii=False, separators=(",", ":"))
        called = Message.from_role_and_content(Role.ASSISTANT, arguments).with_channel("commentary")
        return [called.with_recipient(calls[-1]).with_content_type("<|constrain|>json")]
    if role == "tool_response":
        author = Author.new(Role.TOOL, calls.pop(0))
        return [Message.from_author_and_content(author, text).with_recipient("assistant").with_channel("commentary")]
    parts = CHANNEL.split(text)[1:] or ["final" if is_last else "commentary", text]
    return [
        Message.from_role_and_content(Role.ASSISTANT, part.removesuffix("<|end|><|start|>assistant")).with_channel(name)
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    ]


def before(pair: dict, instructions: list[str]) -> list[Message]:
    """Return the system message, and the developer's where a pair has instructions or tools."""
    system = SystemContent.new().with_conversation_start_date(PROMPT["date"])
    effort = pair.get("chat_template_kwargs", {}).get("reasoning_effort", PROMPT["reasoning_effort"])
    messages = [
        Message.from_role_and_content(Role.SYSTEM, system.with_reasoning_effort(ReasoningEffort(effort.title())))
    ]
    if instructions or "tools" in pair:
        developer = DeveloperContent.new()
        developer = developer.with_instructions(instructions[0]) if instructions else developer
        functions = [tool["function"] for tool in pair.get("tools", ())]
        tools = [ToolDescription.new(f["name"], f["description"], f["parameters"]) for f in functions]
        developer = developer.with_function_tools(tools) if tools else developer
        messages.append(Message.from_role_and_content(Role.DEVELOPER, developer))
    return messages


def conversation(pair: dict, messages: list[dict[str, str]]) -> Conversation:
    """Return messages of a pair as a conversation on the golden files' date, as harmony has it by default."""
    turns, calls = [], []
    for number, message in enumerate(messages):
        following = messages[number + 1]["role"] if number + 1 < len(messages) else ""
        if message["role"] != "system":
            turns += to_harmony(message, calls, is_last=following != "tool_call")
    instructions = [message["content"] for message in messages if message["role"] == "system"]
    return Conversation.from_messages([*before(pair, instructions), *turns])


def answered(golden: dict, answer: str) -> list[dict[str, str]]:
    """Return the messages of a pair with one of its answers."""
    messages = golden["pair"]["messages"]
    texts = {"chosen": messages[-1]["content"], "rejected": golden["pair"]["rejected_response"]}
    return [*messages[:-1], {"role": "assistant", "content": texts[answer]}]


@pytest.mark.parametrize("answer", ["chosen", "rejected"])
@pytest.mark.parametrize("name", NAMES)
def test_training_sees_what_harmony_renders_for_training(harmony, name, answer):
    golden = read_golden(name)
    asked = conversation(golden["pair"], answered(golden, answer))
    assert golden[answer]["ids"] == harmony.render_conversation_for_training(asked, KEEP_ANALYSIS)


@pytest.mark.parametrize("name", NAMES)
def test_inference_sends_what_harmony_renders_for_completion(harmony, name):
    golden = read_golden(name)
    asked = conversation(golden["pair"], golden["pair"]["messages"][:-1])
    assert golden["prompt"]["ids"] == harmony.render_conversation_for_completion(asked, Role.ASSISTANT, KEEP_ANALYSIS)


@pytest.mark.parametrize("name", NAMES)
def test_difference_1_harmony_stores_an_answer_with_end_where_training_has_return(harmony, name):
    pair, ids = read_golden(name)["pair"], read_golden(name)["chosen"]["ids"]
    stored = harmony.render_conversation(conversation(pair, pair["messages"]), KEEP_ANALYSIS)
    assert (ids[-1], stored[-1]) == (RETURN, END)
    assert ids[:-1] == stored[:-1]


@pytest.mark.parametrize("name", WITH_EARLIER_THINKING)
def test_difference_2_harmony_drops_the_thinking_of_earlier_turns_and_ms_swift_keeps_it(harmony, name):
    golden = read_golden(name)
    messages = golden["pair"]["messages"][:-1]
    dropped = [message | {"content": CHANNEL.split(message["content"])[-1]} for message in messages]
    by_default = harmony.render_conversation_for_completion(conversation(golden["pair"], messages), Role.ASSISTANT)
    assert golden["prompt"]["ids"] != by_default
    assert by_default == harmony.render_conversation_for_completion(
        conversation(golden["pair"], dropped), Role.ASSISTANT
    )


@pytest.mark.parametrize("name", OTHERS)
def test_where_no_earlier_turn_thinks_harmony_drops_nothing(harmony, name):
    pair = read_golden(name)["pair"]
    asked = conversation(pair, pair["messages"][:-1])
    assert read_golden(name)["prompt"]["ids"] == harmony.render_conversation_for_completion(asked, Role.ASSISTANT)


def test_a_text_has_the_tokens_that_harmony_gives_it(harmony, gpt_oss):
    tokenizer, drawn = AutoTokenizer.from_pretrained(gpt_oss), random.Random(11)
    for text in (random_text(drawn) for _ in range(2000)):
        assert tokenizer.encode(text, add_special_tokens=False) == harmony.encode(text, disallowed_special=()), text
