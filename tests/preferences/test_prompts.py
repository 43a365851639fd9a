"""prompts.py: which prompts without a reference are read, and how a fault is named."""

import json
import re
from pathlib import Path

import pytest

from pipeline.preferences.prompts import PromptFile

USER = {"role": "user", "content": "Where is my order?"}
BOT = {"role": "assistant", "content": "On its way."}
TOLD = {"role": "tool_response", "content": "Shipped."}
SYSTEM = {"role": "system", "content": "Be short."}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads rows, or the bytes of a file, as prompts."""

    def read(
        *rows,
        name: str = "own.jsonl",
        system: str | None = None,
        columns: dict | None = None,
        ignore: tuple[str, ...] = (),
    ) -> list[dict]:
        file = tmp_path / name
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows]
        file.write_bytes(b"".join(lines))
        data = {"system": system, "columns": columns, "ignore": ignore, "earlier_thinking": "drop"}
        return list(PromptFile(file, data).read())

    return read


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"prompt": USER["content"]}, [USER]),
        ({"prompt": [USER]}, [USER]),
        ({"messages": [USER]}, [USER]),
        ({"messages": [USER, BOT, USER]}, [USER, BOT, USER]),
        ({"messages": [SYSTEM, USER]}, [SYSTEM, USER]),
        ({"prompt": USER["content"], "system": SYSTEM["content"]}, [SYSTEM, USER]),
        ({"messages": [USER], "system": SYSTEM["content"]}, [SYSTEM, USER]),
        ({"messages": [USER | {"tool_calls": None}], "prompt": None, "images": []}, [USER]),
        ({"prompt": [{"from": "human", "value": USER["content"]}]}, [USER]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": USER["content"]}]}]}, [USER]),
        ({"prompt": USER["content"], "category": "shop", "url": "https://shop.example"}, [USER]),
    ],
    ids=str,
)
def test_a_prompt_is_a_text_or_a_conversation_that_ends_with_a_question(read, row, messages):
    assert read(row) == [{"id": "row-1", "messages": messages}]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"prompt": USER["content"], "reasoning_effort": "low"}, [USER]),
        ({"messages": [USER], "chat_template_kwargs": {"reasoning_effort": "low"}}, [USER]),
        ({"messages": [USER], "system": "Be short.\nReasoning: low"}, [SYSTEM, USER]),
        (
            {"messages": [{"role": "system", "content": "Reasoning: low"}, SYSTEM | {"role": "developer"}, USER]},
            [SYSTEM, USER],
        ),
    ],
    ids=str,
)
def test_a_prompt_may_say_its_effort(read, row, messages):
    said = {"chat_template_kwargs": {"reasoning_effort": "low"}}
    assert read(row) == [{"id": "row-1", "messages": messages} | said]


def test_a_developers_text_follows_the_system_message(read):
    (row,) = read({"messages": [SYSTEM | {"role": "developer"}, USER], "system": "Be calm."})
    assert row["messages"][0] == {"role": "system", "content": "Be calm.\n\nBe short."}


def test_the_thinking_of_earlier_turns_of_a_prompt_is_left_out(read):
    assert read({"messages": [USER, BOT | {"thinking": "Hm."}, USER]})[0]["messages"] == [USER, BOT, USER]


def test_a_prompt_keeps_its_id_and_its_tag(read):
    rows = read({"prompt": "a", "id": 7, "tag": "refund"}, {"prompt": "b", "id": "x"})
    assert [(row["id"], row.get("tag")) for row in rows] == [("7", "refund"), ("x", None)]


def test_each_line_of_a_text_file_is_a_prompt(read):
    rows = read('\ufeff第一\r\n{"prompt": 1}\n last'.encode(), name="own.txt")
    assert [row["messages"][0]["content"] for row in rows] == ["第一", '{"prompt": 1}', " last"]


def test_the_system_message_of_the_pairs_is_given_to_prompts_that_have_none(read):
    rows = read({"prompt": "a"}, {"messages": [SYSTEM, USER]}, system="Translate.")
    assert [row["messages"][0]["content"] for row in rows] == ["Translate.", "Be short."]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "a", "images": ["x.png"]},
            r"\$.images: 'images' would be lost: .*; take it out, or name it in data.ignore",
        ),
        ({"messages": [USER], "chosen": "a"}, r"\$.chosen: nothing reads 'chosen'; take it out, or .* \(unknown-key\)"),
        ({"prompt": "a", "messages": [USER]}, "both of prompt and messages"),
        ({"id": "a"}, "neither of prompt and messages"),
        (["a"], "not an object"),
        ({"prompt": 5}, "prompt holds no messages; write"),
        ({"messages": "a"}, "messages holds no messages; write"),
        ({"messages": [{"role": "user"}]}, r"message 1 is not a role \(.*\) and a text"),
        ({"messages": [USER | {"role": ["user"]}]}, r"message 1 is not a role \(.*\) and a text"),
        ({"prompt": [USER, {"from": {}, "value": "x"}]}, r"message 2 is not a role \(.*\) and a text"),
        ({"messages": [USER | {"role": None}]}, r"message 1 is not a role \(.*\) and a text"),
        ({"messages": [5]}, r"message 1 is not a role \(.*\) and a text"),
        ({"messages": [USER | {"images": ["x.png"]}]}, r"\$.messages\[0\].images: 'images' would be lost"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "1 results of 0 calls before them"),
        (
            {"messages": [USER, {"role": "tool_call", "content": '{"name": "f", "arguments": {}}'}, TOLD]},
            "message 2 is not a role",
        ),
        (
            {"messages": [USER], "tools": [{"name": "f"}]},
            r"\$.tools: 'tools' would be lost: tools are read in pairs alone",
        ),
        ({"prompt": "a", "reasoning_effort": "none"}, r"\$.reasoning_effort: 'none' is not one of low, medium, high"),
        ({"messages": [USER, BOT]}, "the last message is 'assistant'; take it out; pairs .* go into data.val"),
        ({"messages": [SYSTEM]}, "the last message is 'system'; add the user message"),
        ({"messages": [BOT, USER]}, "turn 1 is of the role 'assistant' in place of 'user'; put them in order"),
        ({"messages": [USER, SYSTEM, USER]}, "turn 2 is of the role 'system' in place of 'assistant'"),
        ({"messages": [USER, BOT | {"content": "", "thinking": "Hm."}, USER]}, "turn 2 is of the role 'user'"),
        ({"messages": [SYSTEM, USER], "system": "a"}, "both in system and in the messages; keep one of them"),
        ({"prompt": "a", "system": 5}, "system is not text"),
        ({"prompt": "a", "tag": 5}, "tag is not text"),
        ({"prompt": "a", "id": 1.5}, "id is neither text nor a whole number"),
        ({"prompt": " "}, "message 1: empty, or white space alone; .* \\(blank-text\\)"),
        ({"prompt": "<|end|>"}, r"message 1: the token <\|end\|> inside a message; .* \(control-token\)"),
        ({"prompt": "\x07"}, r"message 1: U\+0007 at character 1; .* \(control-character\)"),
        (b'{"prompt": "a"\n', r"Expecting ',' delimiter; .* \(not-json\)"),
        (b'{"prompt": "a", "prompt": "b"}\n', "stands twice in an object"),
        (b'{"prompt": "\xff"}\n', r"byte 0xff; save the file as UTF-8 \(not-utf8\)"),
    ],
)
def test_a_fault_is_one_line_with_the_file_its_line_and_the_fix(read, row, said, tmp_path):
    with pytest.raises(SystemExit, match=rf"^{re.escape(str(tmp_path))}/own.jsonl:2: .*{said}") as refused:
        read({"prompt": "a"}, row)
    assert "; " in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "said"), [(b"\n", "white space alone"), (b"\xff\n", "The bytes are not UTF-8; save the file as")]
)
def test_a_fault_in_a_text_file_is_named_in_the_same_way(read, line, said):
    with pytest.raises(SystemExit, match=rf"own.txt:2: .*{said}"):
        read(b"a\n", line, name="own.txt")


def test_two_prompts_of_one_id_are_refused_with_both_lines(read):
    with pytest.raises(SystemExit, match=r":3: the id 'a' is also that of line 1; give each its own$"):
        read({"prompt": "a", "id": "a"}, {"prompt": "b"}, {"prompt": "c", "id": "a"})


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"question": "a", "system_prompt": "S"}, None),
        ({"ask": {"text": "a"}, "rules": "S"}, {"ask.text": "prompt", "rules": "system"}),
        ({"talk": [USER | {"content": "a"}], "system": "S"}, {"talk": "messages"}),
    ],
)
def test_other_names_of_a_prompt_and_those_of_data_columns_are_read(read, row, columns):
    system = {"role": "system", "content": "S"}
    assert [prompt["messages"] for prompt in read(row, columns=columns)] == [[system, USER | {"content": "a"}]]


def test_keys_of_data_ignore_that_are_patterns_set_aside_what_would_be_read(read):
    row = {"prompt": "a", "system": "S"}
    assert read(row, ignore=("sys*",)) == [{"id": "row-1", "messages": [USER | {"content": "a"}]}]


def test_a_text_beside_the_prompt_is_named_where_a_name_is_expected(read):
    with pytest.raises(SystemExit, match=r"\$.source: 'source' may be a part of the prompt; take it out"):
        read({"prompt": "Translate.", "source": "他来了。"})


def test_two_prompts_of_one_row_that_differ_are_refused(read):
    with pytest.raises(SystemExit, match=r"\$.prompt: 'ask' is prompt too; remove the wrong one"):
        read({"ask": "a", "prompt": "b"}, columns={"ask": "prompt"})


def test_a_key_that_is_set_aside_is_left_and_those_that_are_left_are_counted(read, tmp_path):
    row = {"prompt": "a", "mood": "glad", "category": "shop"}
    assert read(row, ignore=("mood",)) == [{"id": "row-1", "messages": [USER | {"content": "a"}]}]
    file = PromptFile(
        tmp_path / "own.jsonl", {"system": None, "columns": None, "ignore": ["mood"], "earlier_thinking": "drop"}
    )
    list(file.read())
    assert file.unread == {"mood": 1, "category": 1}


def test_a_file_without_prompts_is_refused(read, tmp_path: Path):
    with pytest.raises(SystemExit, match=r"own.jsonl: no prompts; write "):
        read()
