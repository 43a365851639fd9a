"""The list of marks: a text for each of them, and honest texts that hold none."""

import pytest

from pipeline.preferences.checks import TEXT_CHECKS, Fault, find_text_faults
from pipeline.preferences.columns import ASSISTANT, SYSTEM, USER, Columns
from pipeline.preferences.marks import CODE, MARKS
from pipeline.preferences.pair import Message, Pair, encode_lines

# By the code that finds them: the texts of answers, of user messages, and of system messages.
MARKED: dict[str, dict[int, tuple[str, ...]]] = {
    "control-token": {
        ASSISTANT: (
            "Lima.<|im_end|>",
            "Lima.</s>",
            "Lima. </s>\n",
            "Lima.</s><s>Next?",
            "<s>Lima.",
            "Lima.<eos>",
            "<bos>Lima.",
            "Lima. [INST] And Cuba?",
            "Lima.<end_of_turn>",
            "<|channel>thought\n<channel|>Lima.",
            "Lima.<turn|>",
            "Lima.<seed:eos>",
            "[|assistant|]Lima.",
            "Lima.<end_of_utterance>",
            '<tool_call>\n{"name": "look_up"}\n</tool_call>',
            "[TOOL_CALLS]look_up",
            "<|channel|>final<|message|>Lima.<|return|>",
            "`Lima` is it.</s>",
        ),
        USER: (
            "[INST] Capital of Peru? [/INST]",
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nCapital of Peru?",
            "<start_of_turn>user\nCapital of Peru?<end_of_turn>",
            "[gMASK]<sop>Capital of Peru?",
            "Peru?\n<extra_id_1>Assistant\nLima.\n<extra_id_1>User\nCuba?",
            "<role>HUMAN</role>Capital of Peru?",
            "<|user|>Capital of Peru?<|assistant|>",
        ),
        SYSTEM: ("[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT]", "<<SYS>>Be brief.<</SYS>>"),
    },
    "think-text": {
        ASSISTANT: (
            "<think>Peru.</think>Lima.",
            "Peru.</think>\n\nLima.",
            "<think:opensource>Peru.</think:opensource>Lima.",
            "<seed:think>Peru.</seed:think>Lima.",
            "<longcat_think>Peru.</longcat_think>Lima.",
            "[THINK]Peru.[/THINK]Lima.",
            "Peru.[/THINK]Lima.",
            "◁think▷Peru.◁/think▷Lima.",
            "<reasoning>\nPeru.\n</reasoning>\n<answer>Lima</answer>",
            "<thought>Peru.</thought>Lima.",
            "<scratchpad>Peru.</scratchpad>Lima.",
            "Here is my thought process: Peru.\n\nHere is my response: Lima.",
        ),
        USER: ("<think>Peru.</think>",),
    },
    "harmony-text": {
        ASSISTANT: (
            "analysisThe user asks. Short.assistantfinalLima.",
            "analysisAsks for a capitalassistantfinalLima.",
            "analysisLook it up.assistantcommentary to=functions.look_up json{}",
            "assistantanalysisPeru.assistantfinalLima.",
            "assistantfinalLima.",
            "That is Lima.assistantfinal**Lima**",
            "assistantcommentary to=functions.look_up commentary json{}",
            "analysisWe need to name the capital of",
            "analysisUser wants the capital",
        ),
        USER: ("Peru? analysis.assistantfinalLima. And Cuba?",),
    },
    "harmony-system": {
        SYSTEM: (
            "You are ChatGPT.\nKnowledge cutoff: 2024-06\nCurrent date: 2025-06-28",
            "Knowledge cutoff: 2024-06\r\nCurrent date: 2025-06-28\r\n\r\nBe brief.",
            "Be brief.\n\n# Valid channels: analysis, commentary, final.",
            "# Tools\n\n## functions\n\nnamespace functions {\n\n} // namespace functions",
        ),
    },
    "transcript": {
        ASSISTANT: (
            "Lima.\n\nHuman: And Cuba?\n\nAssistant: Havana.",
            "Lima.\r\n\r\nHuman: And Cuba?\r\n\r\nAssistant: Havana.",
            "Lima.\n### Human: And Cuba?\n### Assistant: Havana.",
            "Lima. USER: And Cuba? ASSISTANT: Havana.",
            "Lima.\n\n### Instruction:\nCuba?\n\n### Response:\nHavana.",
            "Lima.\nuser\nAnd Cuba?\nassistant\nHavana.",
            "assistant\n\nLima.",
        ),
        USER: (
            "\n\nHuman: Peru?\n\nAssistant: Lima.\n\nHuman: Cuba?\n\nAssistant:",
            "Human: Peru?\n\nAssistant: Lima.\n\nHuman: Cuba?",
            "User: Peru?\n\nAssistant:",
            "### Human: Peru?\n### Assistant:",
            "A chat between a user and an assistant. USER: Peru? ASSISTANT:",
            "Below is an instruction.\n\n### Instruction:\nPeru?\n\n### Response:\n",
            "system\nBe brief.\nuser\nPeru?\nassistant\n",
        ),
    },
    "serialised-conversation": {
        ASSISTANT: (
            '[{"role": "assistant", "content": "Lima."}]',
            "[{'role': 'user', 'content': 'Peru?'}, {'role': 'assistant', 'content': 'Lima.'}]",
            "[{'content': 'Peru?', 'role': 'user'}\n {'content': 'Lima.', 'role': 'assistant'}]",  # as numpy prints it
            '{"from": "gpt", "value": "Lima."}',
            "[HumanMessage(content='Peru?'), AIMessage(content='Lima.')]",
            "[ChatMessage(role='assistant', content='Lima.')]",
        ),
        USER: ('[\n  {"role": "user", "content": "Peru?"}\n]',),
    },
    "media-placeholder": {
        ASSISTANT: ("<image>", "Here it is:\n<image>\nDo you like it?"),
        USER: (
            "<image>\nWhat is this?",
            "<image>What is this?",
            "<image><image>\nWhich is older?",
            "<image>这是什么？",
            "What is this? <image>",
            "What does he say?\n<audio>",
            "<video>Tell what happens.",
            "Look: <image_1>",
        ),
    },
    "reasoning-effort": {
        SYSTEM: (
            "Reasoning: high",
            "Be brief.\n\nReasoning: low\n",
            "You are ChatGPT.\nReasoning effort: Medium",
            "REASONING: HIGH",
            "Reasoning Effort: High",
        ),
    },
}
CASES = [(code, role, text) for code, texts in MARKED.items() for role, some in texts.items() for text in some]

HONEST: dict[int, tuple[str, ...]] = {
    ASSISTANT: (
        "<p><s>40 €</s> 30 €</p>",
        "<s>old</s> new <s>older</s>",
        "Sequences end with </s>, and begin with <s>.",
        "The tokenizer adds `<s>` in front and ends with `</s>`",
        "Llama 2 writes `[INST]` before the question and `[/INST]` after it.",
        '```python\nprompt = f"<s>[INST] {question} [/INST]"\n```',
        'The template is "[INST]", then the question.',
        "Gemma's turns begin with `<start_of_turn>`.",
        "`<eos>` is id 1, and <eos> comes last.",
        "let xs = [|1; 2; 3|] in [|x|]",
        "<reasoning> is the tag that the file asks for.",
        "Her thought: <thought> tags are odd.",
        "I think, therefore [think] I am.",
        "The analysis assistant finally answered. The assistant's final report is done.",
        "analysisResult = assistant.finalText",
        "com.example.assistantfinal is the package.",
        "`assistantfinal` is what decoding leaves.",
        "Human: a being that thinks.\nAssistant: one who helps.",
        "User: Hi!\n\nAssistant: Hello, how can I help?",
        "# Response\n\n### Instructions\n1. Open the file.\n\n### Response time\nShort.",
        "USERS: 5, ASSISTANTS: 2",
        '{"role": "admin", "permissions": ["read"]}',
        '{"model": "small", "messages": [{"role": "user", "content": "Hi"}]}',
        '[{"name": "Lima", "country": "Peru"}]',
        '```json\n[{"role": "user", "content": "Hi"}]\n```',
        '{"from": "Lima", "to": "Cusco", "value": 3}',
        "<video controls>\n<source src='a.mp4'>\n</video>",
        "<audio>\n</audio>",
        "<video> is an element of HTML, like <audio>.",
        "docker run <image> <command>",
        "<image>\n<url>https://a.example/b.png</url>\n</image>",
        "$$\\left<s\\right> = \\langle s | s \\rangle$$ and $a <s> b$.",
        "# Reasoning\nReasoning: high prices keep buyers away.\nReasoning: high",
        "assistant\nhelper\naide",
    ),
    USER: (
        "Classify the transcript below.\n\nHuman: Hi\n\nAssistant: Hello\n\nIs the assistant polite?",
        "Q: Capital of Peru?\nA:",
        "Answer as <reasoning>…</reasoning><answer>…</answer>.",
        "How do I centre a <video> in HTML?",
        "What does docker run <image> do?",
        "Translate: user\nadmin\nassistant manager",
        "Write the reasoning.\nReasoning: high",
        "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\nWhose words are these?",
    ),
    SYSTEM: (
        "Reasoning: explain each step.",
        "Give high reasoning effort: it matters.",
        "Human: and humane are words.",
        "Say your knowledge cutoff: nobody knows it.\nBe brief.",
        "Explain ```\nnamespace functions {\n}\n``` in C++.",
    ),
}
HONEST_CASES = [(role, text) for role, texts in HONEST.items() for text in texts]


def codes_of(role: int, text: str) -> list[str]:
    """Return the codes of a text in a message of this role."""
    return [fault.code for fault in faults_of(role, text)]


def faults_of(role: int, text: str) -> list[Fault]:
    """Return the faults of a text in a message of this role."""
    system = [Message("system", text if role == SYSTEM else "Be brief.")]
    turns = [Message("user", text if role == USER else "Peru?"), Message("assistant", "Lima")]
    pairs = [Pair(messages=system + turns, rejected_response=text if role == ASSISTANT else "Cusco")]
    return list(find_text_faults(Columns(pairs), encode_lines(pairs)))


@pytest.mark.parametrize(("code", "role", "text"), CASES)
def test_a_mark_is_found(code, role, text):
    assert code in codes_of(role, text)


@pytest.mark.parametrize(("role", "text"), HONEST_CASES)
def test_an_honest_text_holds_no_mark(role, text):
    assert codes_of(role, text) == []


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: f"{mark.code} {mark.signs[0]!r}")
def test_each_mark_has_a_text_of_its_own_above(mark):
    texts = [text for code, role, text in CASES if code == mark.code and role in mark.roles]
    assert any(mark.pattern.search(CODE.sub("", text.replace("\r\n", "\n"))) for text in texts)


@pytest.mark.parametrize(("code", "role", "text"), CASES)
def test_what_is_said_of_a_mark_is_one_line(code, role, text):
    assert all("\n" not in fault.detail for fault in faults_of(role, text))


def test_every_mark_belongs_to_a_check():
    assert {mark.code for mark in MARKS} <= {check.code for check in TEXT_CHECKS}


def test_a_rejected_answer_is_no_excuse_for_a_mark():
    pairs = [
        Pair(messages=[Message("user", "Peru?"), Message("assistant", "Lima.</s>")], rejected_response="Cusco</s>")
    ]
    assert len(list(find_text_faults(Columns(pairs), encode_lines(pairs)))) == 2


@pytest.mark.parametrize(
    "text", ["USER: a " * 20_000, "</s>" * 20_000, "<image>\n" * 20_000, "`" * 100_001, "[{" * 50_000]
)
def test_a_long_text_of_signs_is_decided_without_endless_search(text):
    codes_of(USER, text + "ASSISTANT: Assistant: b")
