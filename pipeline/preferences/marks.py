"""Marks that no message may hold: other templates' control text, thinking, transcripts, and what decoding leaves.

One list. A mark has signs for a fast screen, and a pattern that decides. Markdown code may hold them: an answer can
explain `[INST]`.
"""

import re
from typing import NamedTuple

from pipeline.preferences.columns import ASSISTANT, SYSTEM, USER

Roles = frozenset[int]

ANYONE: Roles = frozenset({SYSTEM, USER, ASSISTANT})
ANSWER: Roles = frozenset({ASSISTANT})
PROMPT: Roles = frozenset({SYSTEM, USER})
IN_SYSTEM: Roles = frozenset({SYSTEM})

CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
BLANKED = "``"  # in place of code, so that the text beside it stays off the edges


class Mark(NamedTuple):
    """A mark, and whose texts may not hold it."""

    code: str
    signs: tuple[str, ...]  # each text with the mark holds one of them
    pattern: re.Pattern[str]
    roles: Roles = ANYONE
    name: str = ""  # in a message; empty: what was found


def mark(code: str, pattern: str, *signs: str, roles: Roles = ANYONE, name: str = "") -> Mark:
    """Return a mark. In its pattern, a dot matches a new line too."""
    return Mark(code, signs, re.compile(pattern, re.DOTALL), roles, name)


def token(pattern: str, *signs: str) -> Mark:
    """Return the mark of a template's own word, anywhere except beside a quotation mark."""
    return mark("control-token", rf"(?<![\"'])(?:{pattern})(?![\"'])", *signs)


def frame(name: str, user: str, assistant: str, sign: str) -> tuple[Mark, Mark]:
    """Return the marks of a transcript, given the patterns of its speakers.

    An answer may not hold both speakers. A prompt may quote a transcript, but neither begin as one, nor end as one
    that waits for its answer.
    """
    both = rf"\A(?=.*{user})(?=.*{assistant})"
    whole = rf"\A\s*{user}.*{assistant}|\A(?=.*{assistant}\s*\Z)(?=.*{user})"
    return (
        mark("transcript", both, sign, roles=ANSWER, name=f"a transcript ({name})"),
        mark("transcript", whole, sign, roles=PROMPT, name=f"a transcript ({name})"),
    )


# Those that look like `<|end|>` are found by find_control_token in checks.py.
TOKENS = (
    token(r"\[/?INST\]", "[INST]", "[/INST]"),  # Llama 2, Mistral
    token("<</?SYS>>", "<<SYS>>", "<</SYS>>"),
    token(
        r"\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]",
        "[SYSTEM_",
        "[/SYSTEM_",
        "[AVAILABLE_",
        "[/AVAILABLE_",
        "[TOOL_",
        "[/TOOL_",
    ),
    token("<(?:start|end)_of_turn>", "<start_of_turn>", "<end_of_turn>"),  # Gemma
    token(r"<\|(?:turn|channel|think)>|<(?:turn|channel)\|>", "<|", "<turn|>", "<channel|>"),  # Gemma 4
    token("<seed:(?:bos|eos)>", "<seed:"),
    token(r"\[\|(?:system|user|assistant|endofturn|Human|AI)\|\]", "[|"),  # EXAONE
    token(r"\[gMASK\]", "[gMASK]"),  # GLM
    token("<extra_id_1>(?:User|Assistant)", "<extra_id_1>"),  # Nemotron, HelpSteer2
    token("<end_of_utterance>", "<end_of_utterance>"),  # Idefics, SmolVLM
    token("<role>(?:SYSTEM|HUMAN|ASSISTANT)</role>", "<role>"),  # Ling
    token("</?tool_call>", "<tool_call>", "</tool_call>"),  # Hermes, Qwen
    mark("control-token", r"\A\s*<bos>|<eos>\s*\Z", "<bos>", "<eos>"),
    # HTML has <s> too, and closes it.
    mark("control-token", r"\A(?:(?!<s[ >]).)*</s>(?=\s*(?:<s>|\Z))", "</s>", name="</s>"),
    mark("control-token", r"\A\s*<s>(?!.*</s>)", "<s>"),
)

# `<think>` itself is found by find_think_text in checks.py.
THOUGHTS = (
    # Seed, LongCat and MiniMax; Magistral; Kimi
    mark("think-text", r"</?[a-z]+[:_]think(?:ing)?>", ":think", "_think"),
    mark("think-text", r"\[/?THINK\]", "[THINK]", "[/THINK]"),
    mark("think-text", "◁/?think▷", "think▷"),
    mark(
        "think-text",
        r"\A\s*<(reasoning|reason|thoughts?|scratchpad)>(?=.*</\1>)",
        *("<reason", "<thought", "<scratchpad>"),
        roles=ANSWER,
    ),
    mark(  # Granite
        "think-text",
        r"\A\s*Here(?:'s| is) my thought process:(?=.*Here(?:'s| is) my response:)",
        "my thought process:",
        roles=ANSWER,
    ),
)

# What decoding leaves of <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>… where it
# skips special tokens.
LEFT_WORDS = ("assistantfinal", "assistantcommentary", "assistantanalysis")
HARMONY = (
    mark(
        "harmony-text",
        r"\A\s*(?:assistant)?(?:analysis|commentary)(?=\S).*assistant(?:final|commentary|analysis)",
        *LEFT_WORDS,
        name="analysis…assistantfinal…",
    ),
    mark("harmony-text", r"\A\s*assistant(?:final|analysis)(?=\S)", *LEFT_WORDS),
    mark("harmony-text", r"assistantcommentary to=\w+", *LEFT_WORDS),
    mark("harmony-text", r"[.!?。！？)\"']\s?assistant(?:final|analysis)(?=[^\sa-z_.`])", *LEFT_WORDS),
    mark(  # cut off before the answer
        "harmony-text",
        r"\A\s*analysis(?=(?:We|The|User)\b,? [a-z])",
        *("analysisWe", "analysisThe", "analysisUser"),
        roles=ANSWER,
    ),
)

# What harmony itself writes before a conversation, and again if a row has it as its system message.
WRITTEN = (
    mark(
        "harmony-system",
        r"\A\s*(?:[^\n]*\n)?[ \t]*Knowledge cutoff:[^\n]*\n[ \t]*Current date:",
        "Knowledge cutoff:",
        roles=IN_SYSTEM,
        name="a knowledge cutoff and a date",
    ),
    mark("harmony-system", r"(?m:^)# Valid channels: analysis", "# Valid channels: analysis", roles=IN_SYSTEM),
    mark("harmony-system", r"(?m:^)namespace functions \{", "namespace functions {", roles=IN_SYSTEM),
)

TRANSCRIPTS = (
    *frame("Human: … Assistant:", r"(?:\A\s*|\n\n)Human:", r"\n\nAssistant:", "Assistant:"),
    # In a prompt only, since answers write dialogues with a User.
    frame("User: … Assistant:", r"(?:\A\s*|\n\n)User:", r"\n\nAssistant:", "Assistant:")[1],
    *frame("### Human: … ### Assistant:", r"(?:\A\s*|\n)### Human:", r"\n### Assistant:", "Assistant:"),
    *frame("USER: … ASSISTANT:", r"(?:\A|\s)USER: ", r"\sASSISTANT:", "ASSISTANT:"),  # Vicuna
    *frame("### Instruction: … ### Response:", r"(?:\A\s*|\n)### Instruction:", r"\n### Response:", "### Response:"),
    # ChatML and Llama 3, decoded without their tokens
    *frame("user … assistant", r"(?:\A\s*|\n)(?:user|human)\n", r"\nassistant(?:\n|\Z)", "\nassistant"),
    mark("transcript", r"\A\s*assistant\n\n(?=\S)", "assistant\n\n", "assistant\r\n\r\n", roles=ANSWER),
)

ROLE = r"['\"](?:role|from)['\"]\s*:\s*['\"](?:system|developer|user|human|assistant|gpt|bot|tool|function)['\"]"
TEXT = r"['\"](?:content|value)['\"]\s*:"
CONVERSATIONS = (
    mark(
        "serialised-conversation",
        rf"\A(?=\s*(?:array\()?\[?\s*\{{\s*['\"](?:role|from|content|value)['\"]\s*:)(?=.*{ROLE})(?=.*{TEXT})",
        *('"role"', "'role'", '"from"', "'from'"),
        name="a list of messages as text",
    ),
    mark(  # LangChain, LlamaIndex
        "serialised-conversation", r"\A\s*\[?\s*\w*Message\((?:content|role)=", "Message(content=", "Message(role="
    ),
)

MEDIUM = r"<(image|video|audio)(?:_?\d+)?>"
MEDIA = (
    # Alone on its line, or after the last sentence of it. HTML and XML have such elements too, and close them.
    mark(
        "media-placeholder",
        rf"(?:(?m:^)|(?<=[.:?!。：？！])|(?<=[.:?!。：？！]\s)){MEDIUM}(?=[ \t]*(?m:$))(?!.*</\1)",
        *("<image", "<video", "<audio"),
    ),
    mark(
        "media-placeholder",
        rf"\A\s*{MEDIUM}(?=\s?[A-Z<])(?!.*</\1)|\A\s*<image>(?=[\u4e00-\u9fff])",
        *("<image", "<video", "<audio"),
        roles=PROMPT,
    ),
)

SETTINGS = (
    mark(
        "reasoning-effort",
        r"(?m:^)[ \t]*(?i:reasoning(?: effort)?:[ \t]*(?:low|medium|high))\.?[ \t]*(?m:$)",
        *("easoning:", "easoning effort:", "easoning Effort:", "EASONING:", "EASONING EFFORT:"),
        roles=IN_SYSTEM,
    ),
)

MARKS = (*TOKENS, *THOUGHTS, *HARMONY, *WRITTEN, *TRANSCRIPTS, *CONVERSATIONS, *MEDIA, *SETTINGS)
MARKS_OF = {code: [each for each in MARKS if each.code == code] for code in dict.fromkeys(each.code for each in MARKS)}
SIGNS = tuple(dict.fromkeys(sign for each in MARKS for sign in each.signs))


def find_mark(code: str, text: str, role: int) -> str | None:
    """Say which mark with this code a text holds outside of code, if its role may not."""
    marks = [each for each in MARKS_OF[code] if role in each.roles and any(sign in text for sign in each.signs)]
    if not marks:
        return None
    plain = CODE.sub(BLANKED, text.replace("\r\n", "\n"))
    for each in marks:
        if found := each.pattern.search(plain):
            return f"{each.name or ' '.join(found[0].split())} inside a message"
    return None
