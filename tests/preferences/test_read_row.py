"""preferences/read_row.py: every key of a row is used, set aside and counted, or named."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.json_lines import write_json_lines
from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import Converted, convert_chunk
from pipeline.preferences.explain_row import explain_keys
from pipeline.preferences.formats import FORMATS, ROWS, keys_of
from pipeline.preferences.layouts import EXPORTS, LAYOUTS, NAMES
from pipeline.preferences.options import Options
from pipeline.preferences.prepare_row import NUMBERS
from pipeline.preferences.read_row import recognise_row
from pipeline.preferences.row_keys import ORIGIN_OR_PROMPT, ORIGINS, UNSUPPORTED, is_empty, is_harmless
from pipeline.preferences.turns import ANALYSIS, CONVERSATIONS
from pipeline.settings.check import load_schema
from tests.support.conversion import GOLDEN, convert, name_of, read_pairs, read_quality, read_rejects

# Files in which each row becomes a pair of its own.
RAW = [path for path in (GOLDEN / "formats").glob("*.jsonl") if ".pairs" not in path.name and "rated" not in path.name]
EXAMPLES = {name_of(path): json.loads(path.read_text(encoding="utf-8").strip().splitlines()[0]) for path in RAW}
PLAIN = Options()
ROW = {"prompt": "Name a boat.", "chosen": "A canoe.", "rejected": "A cart."}
ASKED, ANSWER = {"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}
OTHER = {"role": "assistant", "content": "b"}
ANSWERS = {"chosen": [ASKED, ANSWER], "rejected": [ASKED, OTHER]}
HH = {"chosen": "\n\nHuman: ?\n\nAssistant: a", "rejected": "\n\nHuman: ?\n\nAssistant: b"}
SYSTEM = {"role": "system", "content": "B."}
TALK = {"chosen": "\n\nHuman: ?\n\nAssistant: a", "rejected": "\n\nHuman: ?\n\nAssistant: b"}
SWIFT: dict[str, Any] = {"messages": [ASKED, ANSWER], "rejected_response": "b"}


def convert_rows(*rows: Any, options: Options = PLAIN) -> Converted:
    """Return the pairs and the rejected rows of one file."""
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return convert_chunk(Chunk("raw.jsonl", recognise_row(rows[0], options), lines, 1), options)


def findings_of(converted: Converted) -> list[str]:
    return [f"{finding.code} {finding.path}" for _, found, _ in converted.rejected for finding in found]


# Columns that nobody knows

KNOWN = [*UNSUPPORTED, *ORIGIN_OR_PROMPT, *NAMES, *(name for others in NAMES.values() for name in others)]
KNOWN += [name for layout in LAYOUTS for path, ours in layout.columns.items() for name in (path, ours)]
KNOWN += [name for format_name in FORMATS for name in keys_of(format_name)]
KEYS = st.sampled_from(sorted(set(KNOWN))) | st.text("abcxyz_", min_size=1, max_size=12)
TURNS = [{"role": "user", "content": "Lost?"}, {"role": "assistant", "content": "Lost."}]
VALUES = st.sampled_from(
    [None, "", [], {}, {"x": None}, "Lost text.", 7, True, ["Lost."], {"x": "Lost."}, TURNS, TURNS[:1]]
)


# Scores and margins are used where they make no other pair, too: 7 is enough.
ASKED_FOR = {"margin", *(name for key in ("score_chosen", "score_rejected") for name in (key, *NAMES[key]))}


def says(converted: Converted, key: str) -> bool:
    """Say whether a result names a key: among those that are not read, or in the reason of a rejection."""
    found = [finding for _, findings, _ in converted.rejected for finding in findings]
    return any(key in left for left in converted.unread) or any(
        key in f"{finding.path} {finding.detail}" for finding in found
    )


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_no_column_of_a_row_disappears_unnamed(name):
    row = EXAMPLES[name]
    before = convert_rows(row)

    @given(KEYS.filter(lambda key: key not in row), VALUES)
    def check(key, value):
        after = convert_rows({**row, key: value})
        if after.pairs == before.pairs and not is_empty(value):
            assert says(after, key) or value in row.values() or (key in ASKED_FOR and value == 7)
        elif not after.pairs:
            assert after.rejected

    check()


@pytest.mark.parametrize("name", ["swift", "trl-messages", "sharegpt", "ab-chatbot-arena", "scored"])
def test_no_key_within_a_row_disappears_unnamed(name):
    @given(KEYS, VALUES, st.integers(0, 99))
    def check(key, value, number):
        row = json.loads(json.dumps(EXAMPLES[name]))
        lists = [child for child in row.values() if isinstance(child, list)]
        inner = [part for child in lists for part in child if isinstance(part, dict)]
        place = inner[number % len(inner)]
        if key in place or is_empty(value):
            return
        before = convert_rows(EXAMPLES[name])
        place[key] = value
        after = convert_rows(row)
        assert after.pairs != before.pairs or after.rejected or says(after, key)

    check()


# What the user says


def test_columns_say_what_keys_are(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [{"ask": {"text": "?"}, "yes": "a", "no": ["b"], "mood": "calm"}])
    columns = {"ask.text": "prompt", "yes": "chosen", "no.0": "rejected"}
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out", columns=columns, ignore=["mood"]) is None
    assert read_pairs(tmp_path / "out") == [{"id": "row-1"} | SWIFT]
    assert read_quality(tmp_path / "out")["keys_left"] == {"mood": 1}


@pytest.mark.parametrize(
    ("columns", "verdict", "order"),
    [
        ({"one": "a", "two": "b", "who": "winner"}, "two", ("y", "x")),
        ({"one": "a", "two": "b", "who": "winner"}, "a", ("x", "y")),
        ({"one": "a", "two": "b", "who": "preference"}, -2, ("x", "y")),
        ({"one": "a", "two": "b", "who": "number_of_winner"}, 1, ("y", "x")),
        ({"one": "a", "two": "b", "who": "a_wins"}, 1, ("x", "y")),
    ],
)
def test_columns_say_which_answer_wins(columns, verdict, order):
    row = {"prompt": "?", "one": "x", "two": "y", "who": verdict}
    converted = convert_rows(row, options=Options(columns=tuple(columns.items())))
    pair = json.loads(converted.pairs)
    assert (pair["messages"][-1]["content"], pair["rejected_response"]) == order


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"a": "x", "b": "y", "winner": "tie"}, "tie $"),
        ({"a": "x", "b": "y", "preference": 0}, "tie $"),
        ({"a": "x", "b": "y", "winner": "c"}, "wrong-structure $.winner"),
        ({"a": "x", "b": "y"}, "wrong-structure $"),
        ({"a": "x", "b": "y", "winner": "a", "preference": 1}, "wrong-structure $"),
        ({"a": "x", "b": "y", "number_of_winner": 2}, "wrong-structure $.number_of_winner"),
        ({"a": "x", "b": "y", "score_a": 1}, "wrong-structure $.score_b"),
        ({"a": "x", "b": "y", "score_a": 1, "score_b": 1.5}, "small-margin $.score_a"),
        ({"a": "x", "b": [{"role": "assistant", "content": "y"}], "winner": "a"}, "wrong-structure $.b"),
    ],
)
def test_a_verdict_that_decides_nothing_is_named(row, fault):
    assert findings_of(convert_rows({"prompt": "?"} | row)) == [fault]


@pytest.mark.parametrize("verdict", [0, 0.0, "0"])
def test_a_number_may_be_whole_as_a_fraction_or_as_text_of_a_table(verdict):
    converted = convert_rows({"prompt": "?", "a": "a", "b": "b", "number_of_winner": verdict})
    assert json.loads(converted.pairs) == {"id": "row-1"} | SWIFT


@pytest.mark.parametrize("extra", [{}, {"x": 5}, {"x": {"y": "z"}}, {"x": "text"}])
def test_a_key_with_a_dot_is_a_key_and_no_path(extra):
    options = Options(columns=(("x.y", "prompt"),), ignore=frozenset({"x"}))
    converted = convert_rows({"x.y": "?", "chosen": "a", "rejected": "b"} | extra, options=options)
    assert json.loads(converted.pairs) == {"id": "row-1"} | SWIFT


def test_two_columns_with_one_name_are_named_where_a_row_has_both():
    options = Options(columns=(("ask", "prompt"), ("more", "prompt")))
    answers = {"chosen": "a", "rejected": "b"}
    assert findings_of(convert_rows({"ask": "?", "more": "!"} | answers, options=options)) == ["ambiguous-key $.more"]
    assert json.loads(convert_rows({"more": "?"} | answers, options=options).pairs) == {"id": "row-1"} | SWIFT


@pytest.mark.parametrize("row", [ROW | {"metadata": {"system": "A."}}, {"prompt": "?", "answer": "a", "label": True}])
def test_a_column_that_no_row_has_is_named_in_print_and_in_the_account(row, tmp_path, capsys):
    write_json_lines(tmp_path / "raw.jsonl", [row])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", columns={"metadata.sytem": "system", "prompt": "prompt"})
    assert read_quality(tmp_path / "out")["columns_left"] == ["metadata.sytem"]
    assert "data.columns: metadata.sytem: no row that was read has it" in capsys.readouterr().out


def test_a_column_within_a_cell_of_json_is_one_that_the_row_has(tmp_path):
    (tmp_path / "raw.csv").write_text('in,chosen,rejected\n"{""ask"": ""?""}",a,b\n', encoding="utf-8")
    assert convert(tmp_path / "raw.csv", tmp_path / "out", columns={"in.ask": "prompt"}) is None
    assert "columns_left" not in read_quality(tmp_path / "out")


def test_columns_and_ignored_keys_hold_for_rows_that_are_pairs_already():
    row = SWIFT | {"tag": "Be short.", "id": "x"}
    converted = convert_rows(row, options=Options(columns=(("tag", "system"),), ignore=frozenset({"id"})))
    pair = json.loads(converted.pairs)
    assert (pair["id"], pair["messages"][0]) == ("row-1", {"role": "system", "content": "Be short."})


def test_an_ignored_pattern_sets_aside_what_the_format_would_read():
    converted = convert_rows(ROW | {"system": "A."}, options=Options(ignore=frozenset({"sys*"})))
    assert [turn["role"] for turn in json.loads(converted.pairs)["messages"]] == ["user", "assistant"]
    assert converted.unread == Counter(system=1)


def test_an_ignored_thought_is_not_trained():
    answer = {"role": "assistant", "content": "a", "thinking": "Hm."}
    converted = convert_rows(SWIFT | {"messages": [ASKED, answer]}, options=Options(ignore=frozenset({"think*"})))
    assert json.loads(converted.pairs)["messages"] == SWIFT["messages"]


def test_a_key_with_a_line_break_is_named():
    row = SWIFT | {"messages": [{"\n": False}]}
    assert findings_of(convert_rows(row)) == ["unknown-key $.messages[0].\n"]


def test_what_is_left_of_a_nested_column_is_named():
    row = {"in": {"messages": [{"role": "user", "content": "?"}], "mood": "calm"}, "yes": "a", "no": "b"}
    options = Options(columns=(("in.messages", "prompt"), ("yes", "chosen"), ("no", "rejected")))
    assert findings_of(convert_rows(row, options=options)) == ["unknown-key $.in.mood"]


def test_an_ignored_key_may_stand_in_a_message_and_under_a_pattern():
    row = json.loads(json.dumps(SWIFT)) | {"extra.x": 1}
    row["messages"][0]["mood_of_day"] = "calm"
    converted = convert_rows(row, options=Options(ignore=frozenset({"mood*", "extra.*"})))
    assert json.loads(converted.pairs)["messages"] == SWIFT["messages"]


# Cells of tables

HELD = {"id": "row-1"} | SWIFT
SCORES = dict.fromkeys(["score_chosen", "score_rejected", "id", "tag"], "")
OURS: dict[str, str] = {}
CELLS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"prompt": [ASKED], "chosen": [ANSWER], "rejected": [OTHER]}, OURS),
    ({"talk": [ASKED, ANSWER], "bad": "b"}, {"talk": "messages", "bad": "rejected_response"}),
    ({"in": {"x": [ASKED]}, "good": "a", "bad": "b"}, {"in.x": "prompt", "good": "chosen", "bad": "rejected"}),
    ({"input": {"messages": [ASKED]}, "preferred_output": [ANSWER], "non_preferred_output": [OTHER]}, OURS),
    ({"instruction": "?", "output": ["a", "b"]}, OURS),
    ({"prompt": "?", "answers": [{"answer": "a", "rank": 1}, {"answer": "b", "rank": 3}]}, OURS),
    ({"prompt": "?", "completions": ["b", "a"], "scores": [1, 4]}, OURS),
    ({"winner": "model_b", "conversation_a": [ASKED, OTHER], "conversation_b": [ASKED, ANSWER]}, OURS),
    ({"prompt": "?", "a": "a", "b": "b", "a_wins": "True"}, OURS),
    ({"history": "?", "human_ref_A": "a", "human_ref_B": "b", "labels": "1"}, OURS),
    ({"prompt": "?", "response_0": "b", "response_1": "a", "better_response_id": "1"}, OURS),
    ({"prompt": "?", "chosen": "a", "rejected": "b"} | SCORES, OURS),
    ({"prompt": "?", "chosen": "a", "rejected": "b", "tools": [], "images": None, "system": ""}, OURS),
]


@pytest.mark.parametrize(("row", "columns"), CELLS, ids=[" ".join(row) for row, _ in CELLS])
def test_a_cell_means_the_same_whatever_the_name_of_its_column(row, columns):
    cells = {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
    converted = convert_rows(cells, options=Options(columns=tuple(columns.items())))
    assert json.loads(converted.pairs) == HELD


def takes(kind: Any, value: Any) -> bool:
    """Say whether a type has a value."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def keys_that_take(value: Any) -> set[str]:
    """Return the keys of all formats whose type has a value."""
    fields = [field for row in ROWS.values() for field in msgspec.structs.fields(row)]
    return {field.encode_name for field in fields if takes(field.type, value)}


@pytest.mark.parametrize(
    ("value", "known"),
    [([ASKED, ANSWER], CONVERSATIONS), (1, (*NUMBERS, "id")), (0.5, (*NUMBERS, "id")), ([["?", "a"]], ["history"])],
)
def test_every_key_that_is_no_text_is_read_from_a_cell(value, known):
    assert keys_that_take(value) <= set(known)


def test_data_columns_may_name_every_key_that_a_format_uses():
    columns = load_schema()["properties"]["data"]["properties"]["columns"]
    # A list of scores is put into the completions beside it; tools and effort are read before the format.
    others = {"scores", "tools", "reasoning_effort"}
    assert set(columns["additionalProperties"]["enum"]) == others.union(*map(keys_of, ROWS))


def test_an_empty_cell_in_place_of_a_prompt_is_named_and_no_prompt_is_guessed():
    row = {"prompt": "", "chosen": "The train was ten minutes late.", "rejected": "The train was ten hours late."}
    assert findings_of(convert_rows(row)) == ["blank-text $.prompt"]


PRINTED = [
    "[{'role': 'user', 'content': 'Name a tree.'}]",
    "[{'content': \"What's this?\", 'role': 'user'}\n {'content': 'A tree.', 'role': 'assistant'}]",
    "array([{'from': 'human', 'value': 'Name a tree.'}], dtype=object)",
    "{'role': 'assistant', 'content': 'An oak.'}",
]


@pytest.mark.parametrize("printed", PRINTED, ids=["a list", "an array of numpy", "an array by repr", "a message"])
@pytest.mark.parametrize("key", ["chosen", "good"])
def test_a_conversation_that_python_printed_is_refused_and_never_an_answer(printed, key):
    options = Options(columns=((key, "chosen"),))
    converted = convert_rows({"prompt": "?", key: printed, "rejected": "No."}, options=options)
    assert findings_of(converted) == [f"serialised-conversation $.{key}"]


@pytest.mark.parametrize("text", ["\\ud800", '?", "content": "!'])
@pytest.mark.parametrize("key", ["messages", "prompt"])
def test_messages_in_a_cell_that_can_be_read_in_two_ways_or_none_are_refused(key, text):
    cell = '[{"role": "user", "content": "%s"}]' % text  # noqa: UP031  (braces)
    row = {key: cell, "chosen": "a", "rejected": "b"}
    assert findings_of(convert_rows(row))[0].endswith(f" $.{key}")


@pytest.mark.parametrize("answer", ["[{'a': 1}]", "{'name': 'role'}", "print({'role': 'user'})", '{"ok": true}', "[a"])
def test_an_answer_in_code_stays_text(answer):
    assert json.loads(convert_rows(ROW | {"chosen": answer}).pairs)["messages"][-1]["content"] == answer


# What must not be guessed


@pytest.mark.parametrize("key", sorted(ORIGIN_OR_PROMPT))
@pytest.mark.parametrize(("one", "two", "more"), [("chosen", "rejected", {}), ("a", "b", {"winner": "a"})])
def test_an_implicit_prompt_is_not_taken_where_a_column_could_be_it(key, one, two, more):
    row = {key: "他来了。", one: "The man has come.", two: "The man has gone."}
    assert findings_of(convert_rows(row | more)) == [f"unknown-key $.{key}"]


@pytest.mark.parametrize("more", [{"id": 1, "mood": 1}, {"tag": "calm", "mood": "calm"}, {"margin": 1, "mood": True}])
def test_a_value_that_another_key_has_by_chance_is_no_copy(more):
    assert findings_of(convert_rows(ROW | more)) == ["unknown-key $.mood"]


@pytest.mark.parametrize("path", ["prompt", "messages", "question", "ask", "in.ask"])
@pytest.mark.parametrize(("one", "two", "more"), [("chosen", "rejected", {}), ("a", "b", {"winner": "a"})])
def test_an_implicit_prompt_is_not_taken_where_a_column_should_be_it_and_is_null(path, one, two, more):
    row = {path.partition(".")[0]: None, one: "The man has come.", two: "The man has gone."}
    options = Options(columns=(("ask", "prompt"), ("in.ask", "prompt")))
    assert findings_of(convert_rows(row | more, options=options)) == [f"blank-text $.{path}"]


@pytest.mark.parametrize("key", sorted(filter(is_harmless, ORIGINS)))
@pytest.mark.parametrize("text", ["他来了。", "He came.", "Did he come? Yes", "Two\nlines", "word " * 13, ["He came."]])
def test_a_text_beside_a_prompt_is_named_where_a_name_is_expected(key, text):
    converted = convert_rows(ROW | {key: text})
    assert findings_of(converted) == [f"unknown-key $.{key}"]
    assert converted.rejected[0][1][0].detail == f"{key!r} may be a part of the prompt"


@pytest.mark.parametrize(
    "name", ["flan_v2_niv2", "org/set-3.2", "新闻", f"https://example.com/{'a' * 60}?b=1", 7, ["a"]]
)
def test_a_name_beside_a_prompt_is_harmless(name):
    assert convert_rows(ROW | {"source": name}).unread == Counter(source=1)


def test_a_translation_by_others_beside_a_prompt_is_harmless():
    assert convert_rows(ROW | {"ref": "He came."}).unread == Counter(ref=1)


@pytest.mark.parametrize("key", ["context", "conversation", "history", "messages"])
def test_a_column_of_messages_beside_two_answers_is_the_prompt(key):
    turns = [{"role": "user", "content": "?"}]
    assert json.loads(convert_rows({key: turns, "chosen": "a", "rejected": "b"}).pairs) == {"id": "row-1"} | SWIFT


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (ROW | {"messages": [ASKED]}, "prompts-differ $.prompt"),
        (ROW | {"messages": SWIFT["messages"]}, "ambiguous-key $.messages"),
        (SWIFT | {"rejected_messages": [ASKED, {"role": "assistant", "content": "c"}]}, "ambiguous-key $"),
        (SWIFT | {"system": "A.", "messages": [SYSTEM, *SWIFT["messages"]]}, "systems-differ $.system"),
        (SWIFT | {"rejected_response": ["b", "c"]}, "wrong-structure $.rejected_response"),
        (
            {"prompt": "?", "completions": [{"text": "a", "answer": "b", "score": 9}, {"text": "c", "score": 1}]},
            "ambiguous-key $.completions[0]",
        ),
        ({"prompt": "?", "completions": ["a", "b"], "scores": [1]}, "wrong-structure $.scores"),
        (
            {"prompt": "?", "completions": [{"text": "a", "rank": 1}, {"text": "b", "score": 0.5}]},
            "wrong-structure $.completions",
        ),
        (TALK | {"score_chosen": 2, "score_rejected": 8}, "scores-reversed $.score_chosen"),
        ({"prompt": "?", "a": "a", "b": "b", "winner": "a", "score_chosen": 2}, "unknown-key $.score_chosen"),
        (ROW | {"score_chosen": 2, "score_rejected": 8}, "scores-reversed $.score_chosen"),
        (ROW | {"score_chosen": 2, "score_rejected": 1.5}, "small-margin $.score_chosen"),
        (ROW | {"score_chosen": 5, "score_rejected": 1, "margin": 0.5}, "small-margin $.margin"),
        (SWIFT | {"margin": -2}, "scores-reversed $.margin"),
        (HH | {"score_chosen": 2, "score_rejected": 8}, "scores-reversed $.score_chosen"),
        ({"prompt": "Why?", **ANSWERS}, "prompts-differ $.prompt"),
        ({"prompt": "Is? it", **ANSWERS}, "prompts-differ $.prompt"),
        ({"prompt": "user: ?\nassistant: c", **ANSWERS}, "prompts-differ $.prompt"),
    ],
)
def test_parts_of_a_row_that_contradict_each_other_are_named(row, fault):
    assert findings_of(convert_rows(row)) == [fault]


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        ({"role": "tool", "content": "{}"}, "wrong-structure $.messages"),
        ({"role": "user", "content": [{"type": "image"}]}, "unsupported-key $.messages[0].content"),
        ({"role": "user", "content": "?", "weight": 0}, "unsupported-key $.messages[0].weight"),
        ({"role": "user", "from": "system", "content": "?"}, "ambiguous-key $.messages[0].from"),
        ({"role": "user", "content": "?", "value": "!"}, "ambiguous-key $.messages[0].value"),
        (
            {"role": "user", "content": [{"type": "text", "text": "?", "image": "a.png"}]},
            "unsupported-key $.messages[0].content[0].image",
        ),
        ({"role": "user", "content": "?", "thinking": "Hm."}, "unknown-key $.messages[0].thinking"),
        ({"role": "assistant", "content": "Hm.", "channel": "analysis"}, "unsupported-key $.messages[0].channel"),
        ({"role": "user", "content": "?", "source": "He came."}, "unknown-key $.messages[0].source"),
        ({"role": "ai", "content": "?", "thinking": ["Hm."]}, "wrong-structure $.messages[0].thinking"),
        (
            {"role": "user", "content": [{"type": "text", "text": "?", "mood": "calm"}]},
            "unknown-key $.messages[0].content[0].mood",
        ),
    ],
)
def test_a_message_whose_meaning_would_be_lost_is_named(turn, fault):
    assert findings_of(convert_rows(SWIFT | {"messages": [turn, SWIFT["messages"][1]]})) == [fault]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "from": "human", "content": "?", "value": "?"},
        {"role": "prompter", "text": "?"},
        {"role": "user", "content": [{"type": "text", "text": "?", "image": None}]},
    ],
)
def test_a_message_that_says_its_parts_twice_or_under_another_name_is_read(turn):
    assert json.loads(convert_rows(SWIFT | {"messages": [turn, ANSWER]}).pairs) == {"id": "row-1"} | SWIFT


@pytest.mark.parametrize("role", ["assistant", "gpt", "model", "ai"])
@pytest.mark.parametrize(("thinking", "text"), [("Hm.", ANALYSIS.format("Hm.", "a")), (" ", "a"), (None, "a")])
def test_thinking_is_that_of_the_assistant_whatever_its_name(role, thinking, text):
    row = SWIFT | {"messages": [ASKED, {"role": role, "content": "a", "thinking": thinking}]}
    assert json.loads(convert_rows(row).pairs)["messages"][1]["content"] == text


SAID = [ASKED, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": "And?"}]


@pytest.mark.parametrize(
    "text",
    [
        *("?", " ? ", "And?", "user: ?", "User: ?\n\nAssistant:", "\nuser: ?\nassistant: Hm.\nuser: And?"),
        *("User: ?\nAssistant: Hm.\nUser: And?\nAssistant:", "?\n\nHm.\n\nAnd?"),
    ],
)
def test_a_prompt_may_be_the_conversation_as_text(text):
    row = {"prompt": text, "chosen": [*SAID, ANSWER], "rejected": [*SAID, ANSWER | {"content": "b"}]}
    assert json.loads(convert_rows(row).pairs)["messages"] == [*SAID, ANSWER]


@pytest.mark.parametrize("letter", ["A", "s", "I"])
def test_a_message_of_one_letter_is_found_in_the_conversation_as_text(letter):
    turns = [ASKED, {"role": "assistant", "content": letter}, {"role": "user", "content": "And?"}]
    row = {
        "prompt": f"User: ?\nAssistant: {letter}\nUser: And?",
        "chosen": [*turns, ANSWER],
        "rejected": [*turns, OTHER],
    }
    assert json.loads(convert_rows(row).pairs)["messages"] == [*turns, ANSWER]


@pytest.mark.parametrize("text", ["Be rude. ?", "User: Be rude.\nUser: ?\nAssistant: Hm.\nUser: And?", "Hm.", "What?"])
def test_a_prompt_that_says_more_than_the_conversation_is_named(text):
    row = {"prompt": text, "chosen": [*SAID, ANSWER], "rejected": [*SAID, ANSWER | {"content": "b"}]}
    assert findings_of(convert_rows(row)) == ["prompts-differ $.prompt"]


SPOKEN = [{"role": "developer", "content": "Be short."}, ASKED, ANSWER]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"messages": [SYSTEM, *SPOKEN], "system": "C."}, "systems-differ $.system"),
        ({"messages": [SYSTEM, SYSTEM | {"content": "C."}, ASKED, ANSWER]}, "wrong-roles $"),
        ({"messages": [SYSTEM | {"content": " "}, *SPOKEN]}, "blank-text $.messages[1].content"),
        ({"messages": [ASKED, *SPOKEN[:1], ANSWER]}, "wrong-roles $"),
    ],
)
def test_instructions_that_contradict_each_other_or_stand_elsewhere_are_named(row, fault):
    assert findings_of(convert_rows(SWIFT | row)) == [fault]


@pytest.mark.parametrize("row", [{"messages": [SYSTEM, *SPOKEN], "system": "B."}, {"messages": SPOKEN, "system": "B."}])
def test_the_developers_text_stands_below_that_of_the_system(row):
    pair = json.loads(convert_rows(SWIFT | row).pairs)
    assert pair["messages"] == [{"role": "system", "content": "B.\n\nBe short."}, ASKED, ANSWER]


def test_two_thoughts_of_one_message_that_differ_are_named():
    answer = {"role": "assistant", "content": "a", "thinking": "x", "reasoning": "y"}
    assert findings_of(convert_rows(SWIFT | {"messages": [SWIFT["messages"][0], answer]})) == [
        "ambiguous-key $.messages[1]"
    ]


@pytest.mark.parametrize(("key", "value"), [("zh_source", "他来了。"), ("image_url", "a.png")])
def test_a_key_is_not_set_aside_because_its_name_looks_like_another(key, value):
    assert findings_of(convert_rows(ROW | {key: value}))[0].endswith(f" $.{key}")


# The format of a file


def test_one_odd_row_at_the_beginning_does_not_decide_on_the_format_of_a_file(tmp_path):
    good = [
        {"chosen": f"\n\nHuman: {n}?\n\nAssistant: a", "rejected": f"\n\nHuman: {n}?\n\nAssistant: b"} for n in "12"
    ]
    write_json_lines(tmp_path / "raw.jsonl", [{"chosen": "Yes, a", "rejected": "Yes, b"}, *good])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", on_problem="drop")
    assert [pair["messages"][0]["content"] for pair in read_pairs(tmp_path / "out")] == ["1?", "2?"]
    assert [(reject["line"], reject["code"]) for reject in read_rejects(tmp_path / "out")] == [(1, "wrong-structure")]


@pytest.mark.parametrize(
    "row",
    [
        {"ask": "?", "good_one": "a", "bad_one": "b"},
        {"user_input": "?", "preferred": "a", "dispreferred": "b", "mood": None},
        {"fields": {"question": "?"}, "better": "a", "worse": "b"},
        {"question_text": "?", "answer_1": "a", "answer_2": "b", "vote": "a"},
        {"query_zh": "?", "left": "a", "right": "b", "verdict": "left"},
        {"query_zh": "?", "answer_0": "a", "answer_1": "b", "rating_0": 5, "rating_1": 1},
        {"query_zh": "?", "answer_0": "a", "answer_1": "b", "safer_response_id": 0},
        {"a question": "?", "good, one": "a", "bad: one": "b"},
        {"model_a": "x", "model_b": "y", "question": "?", "text_a": "a", "text_b": "b", "better": "text_a"},
    ],
)
def test_the_refusal_of_an_unknown_format_proposes_the_line_that_reads_it(row):
    assert recognise_row(row, Options()) is None
    said = explain_keys(row)
    columns = yaml.safe_load(said[said.index("`") + 1 : said.rindex("`")])["data.columns"]
    if "?" not in json.dumps([row[key.partition(".")[0]] for key in columns]):
        columns["ask"] = "prompt"  # a name that tells nothing
    converted = convert_rows(row, options=Options(columns=tuple(columns.items())))
    assert json.loads(converted.pairs) == {"id": "row-1"} | SWIFT


def test_a_proposal_names_the_keys_that_it_does_not_read():
    said = explain_keys({"question": "?", "good": "a", "bad": "b", "mood": "calm", "score_good": 3})
    assert said.endswith("reads its answers; say what its other keys are, too: mood, score_good")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "?", "response_a": "a", "response_b": "b", "winner_model_a": 1, "winner_tie": 0},
        {"prompt": "?", "output_1": "a", "output_2": "b", "preference": 2},
        {"prompt": " ", "good": "a", "bad": "b"},
        {"question": "?", "answer": "a"},
        {"prompt": None, "chosen": ""},
        {},
    ],
)
def test_a_line_that_would_not_read_the_row_is_not_proposed(row):
    assert "data.columns" not in explain_keys(row)


RECORDS = {
    "ALMA-R": {
        "translation": {
            **{"zh": "?", "en": "x", "gpt4_en": "b", "alma_en": "a", "gpt4_en_xcomet": 0.5, "alma_en_xcomet": 0.9},
            **{"gpt4_en_kiwi": 0.4, "language_pair": "zh-en"},
        }
    },
    "Argilla": {
        "id": "row-1",
        "status": "completed",
        "fields": {"prompt": "?", "response1": "b", "response2": "a"},
        "responses": {"preference": [{"value": "response2", "user_id": "u"}]},
        "suggestions": {},
        "metadata": {},
        "vectors": {},
    },
    "Label Studio": {
        "id": "row-1",
        "data": {"prompt": "?", "answer1": "a", "answer2": "b"},
        "annotations": [{"id": 5, "result": [{"type": "pairwise", "value": {"selected": "left"}}], "lead_time": 3.5}],
        "predictions": [],
        **{"file_upload": "1.json", "project": 3, "drafts": [], "meta": {}, "inner_id": 1, "updated_by": 1},
        **{"total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 0, "comment_count": 0},
        **{"created_at": "2026-01-01T00:00:00Z", "unresolved_comment_count": 0, "comment_authors": []},
    },
    "Prodigy": {
        "text": "?",
        "options": [{"id": 0, "text": "b"}, {"id": 1, "text": "a"}],
        "accept": [1],
        "answer": "accept",
        "_input_hash": 1,
        "_task_hash": 2,
        **{"_view_id": "choice", "_timestamp": 1700000000, "_annotator_id": "x", "_session_id": "x"},
    },
}


@pytest.mark.parametrize("name", EXPORTS)
def test_a_record_that_holds_more_than_a_pair_is_read_with_the_settings_that_its_refusal_names(name):
    settings = [yaml.safe_load(part) for part in explain_keys(RECORDS[name]).split("`")[1::2]]
    columns, ignore = settings[0]["data.columns"], settings[1]["data.ignore"]
    options = Options(min_margin=0.1, columns=tuple(columns.items()), ignore=frozenset(ignore))
    assert json.loads(convert_rows(RECORDS[name], options=options).pairs) == {"id": "row-1"} | SWIFT


@pytest.mark.parametrize("name", EXPORTS)
def test_a_record_with_names_of_its_own_is_sent_to_the_page_that_shows_its_settings(name):
    row = json.loads(json.dumps(RECORDS[name]).replace("gpt4_en", "gpt4_de").replace('prompt"', 'ask"'))
    said = explain_keys(row | ({"options": [{"text": "a"}]} if name == "Prodigy" else {}))
    assert said.endswith(f"record of {name}: docs/formats.md has its settings, in which your names belong")


@pytest.mark.parametrize(
    "empty", [{"id": "", "tag": "", "system": "", "margin": ""}, {"history": "", "messages": []}, {"tools": "[]"}]
)
def test_what_is_empty_means_nothing(empty):
    assert json.loads(convert_rows(ROW | empty).pairs) == json.loads(convert_rows(ROW).pairs)


def test_completions_are_compared_by_the_first_score_that_all_of_them_have():
    scores = [{"fine-grained_score": None, "overall_score": 8}, {"fine-grained_score": 9, "overall_score": 1}]
    row = {"prompt": "?", "completions": [{"text": text} | each for text, each in zip("ab", scores, strict=True)]}
    assert json.loads(convert_rows(row).pairs) == {"id": "row-1"} | SWIFT


def test_a_fault_of_tools_in_a_nested_column_has_its_path():
    row = {"input": {"messages": [ASKED], "tools": [{"x": 1}]}, "preferred_output": [ANSWER]}
    row["non_preferred_output"] = [ANSWER | {"content": "b"}]
    assert findings_of(convert_rows(row)) == ["wrong-structure $.input.tools[0]"]


def test_the_keys_that_were_not_read_are_counted_by_row(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [ROW | {"id": n, "url": u} for n, u in ((1, "x"), (2, None))])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", on_problem="drop")
    assert Counter(read_quality(tmp_path / "out")["keys_left"]) == Counter(url=1)
