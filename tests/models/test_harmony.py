"""ms-swift's rendering against openai-harmony's, the reference: same tokens, except where these tests say."""

import random
import re

import pytest
from openai_harmony import (
    Conversation,
    DeveloperContent,
    HarmonyEncodingName,
    Message,
    RenderConversationConfig,
    Role,
    SystemContent,
    load_harmony_encoding,
)
from transformers import AutoTokenizer

from tests.support.golden_prompts import NAMES, PROMPT_DATE, read_golden
from tests.support.random_texts import random_text
from tools.build_gpt_oss_tokenizer import read_vocabulary

pytestmark = pytest.mark.training_environment

CHANNEL = re.compile(r"<\|channel\|>(\w+)<\|message\|>")
KEEP_ANALYSIS = RenderConversationConfig(auto_drop_analysis=False)
END, RETURN = 200007, 200002
WITH_EARLIER_THINKING = ["thinking-in-turns"]
OTHERS = sorted(set(NAMES) - set(WITH_EARLIER_THINKING))


@pytest.fixture(scope="module")
def harmony(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encodings")
    (folder / "o200k_base.tiktoken").write_bytes(read_vocabulary())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


def to_harmony(message: dict[str, str]) -> list[Message]:
    """Return one turn as harmony's messages: thinking and answer are two, in two channels."""
    text = message["content"]
    if message["role"] == "system":
        return [Message.from_role_and_content(Role.DEVELOPER, DeveloperContent.new().with_instructions(text))]
    if message["role"] == "user":
        return [Message.from_role_and_content(Role.USER, text)]
    parts = CHANNEL.split(text)[1:] or ["final", text]
    return [
        Message.from_role_and_content(Role.ASSISTANT, part.removesuffix("<|end|><|start|>assistant")).with_channel(name)
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    ]


def conversation(messages: list[dict[str, str]]) -> Conversation:
    """Return a conversation on the golden files' date, as harmony has it by default."""
    system = SystemContent.new().with_conversation_start_date(PROMPT_DATE)
    turns = [part for message in messages for part in to_harmony(message)]
    return Conversation.from_messages([Message.from_role_and_content(Role.SYSTEM, system), *turns])


def answered(golden: dict, answer: str) -> list[dict[str, str]]:
    """Return the messages of a pair with one of its answers."""
    messages = golden["pair"]["messages"]
    texts = {"chosen": messages[-1]["content"], "rejected": golden["pair"]["rejected_response"]}
    return [*messages[:-1], {"role": "assistant", "content": texts[answer]}]


@pytest.mark.parametrize("answer", ["chosen", "rejected"])
@pytest.mark.parametrize("name", NAMES)
def test_training_sees_what_harmony_renders_for_training(harmony, name, answer):
    golden = read_golden(name)
    asked = conversation(answered(golden, answer))
    assert golden[answer]["ids"] == harmony.render_conversation_for_training(asked, KEEP_ANALYSIS)


@pytest.mark.parametrize("name", NAMES)
def test_inference_sends_what_harmony_renders_for_completion(harmony, name):
    golden = read_golden(name)
    asked = conversation(golden["pair"]["messages"][:-1])
    assert golden["prompt"]["ids"] == harmony.render_conversation_for_completion(asked, Role.ASSISTANT, KEEP_ANALYSIS)


@pytest.mark.parametrize("name", NAMES)
def test_difference_1_harmony_stores_an_answer_with_end_where_training_has_return(harmony, name):
    ids = read_golden(name)["chosen"]["ids"]
    stored = harmony.render_conversation(conversation(read_golden(name)["pair"]["messages"]), KEEP_ANALYSIS)
    assert (ids[-1], stored[-1]) == (RETURN, END)
    assert ids[:-1] == stored[:-1]


@pytest.mark.parametrize("name", WITH_EARLIER_THINKING)
def test_difference_2_harmony_drops_the_thinking_of_earlier_turns_and_ms_swift_keeps_it(harmony, name):
    golden = read_golden(name)
    messages = golden["pair"]["messages"][:-1]
    dropped = [message | {"content": CHANNEL.split(message["content"])[-1]} for message in messages]
    by_default = harmony.render_conversation_for_completion(conversation(messages), Role.ASSISTANT)
    assert golden["prompt"]["ids"] != by_default
    assert by_default == harmony.render_conversation_for_completion(conversation(dropped), Role.ASSISTANT)


@pytest.mark.parametrize("name", OTHERS)
def test_where_no_earlier_turn_thinks_harmony_drops_nothing(harmony, name):
    asked = conversation(read_golden(name)["pair"]["messages"][:-1])
    assert read_golden(name)["prompt"]["ids"] == harmony.render_conversation_for_completion(asked, Role.ASSISTANT)


def test_a_text_has_the_tokens_that_harmony_gives_it(harmony, gpt_oss):
    tokenizer, drawn = AutoTokenizer.from_pretrained(gpt_oss), random.Random(11)
    for text in (random_text(drawn) for _ in range(2000)):
        assert tokenizer.encode(text, add_special_tokens=False) == harmony.encode(text, disallowed_special=()), text
