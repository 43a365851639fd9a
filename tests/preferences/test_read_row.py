"""preferences/read_row.py: every key of a row is used, set aside and counted, or named."""

import json
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.json_lines import write_json_lines
from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import Converted, convert_chunk
from pipeline.preferences.explain_row import explain_keys
from pipeline.preferences.formats import FORMATS, keys_of
from pipeline.preferences.layouts import EXPORTS, LAYOUTS, NAMES
from pipeline.preferences.options import Options
from pipeline.preferences.read_row import recognise_row
from pipeline.preferences.row_keys import ORIGIN_OR_PROMPT, UNSUPPORTED, is_empty
from tests.support.conversion import GOLDEN, convert, name_of, read_pairs, read_quality, read_rejects

# Files in which each row becomes a pair of its own.
RAW = [path for path in (GOLDEN / "formats").glob("*.jsonl") if ".pairs" not in path.name and "rated" not in path.name]
EXAMPLES = {name_of(path): json.loads(path.read_text(encoding="utf-8").strip().splitlines()[0]) for path in RAW}
PLAIN = Options()
ROW = {"prompt": "Name a boat.", "chosen": "A canoe.", "rejected": "A cart."}
ASKED, ANSWER = {"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}
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
            assert says(after, key) or value in row.values()
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


def test_what_is_left_of_a_nested_column_is_named():
    row = {"in": {"messages": [{"role": "user", "content": "?"}], "mood": "calm"}, "yes": "a", "no": "b"}
    options = Options(columns=(("in.messages", "prompt"), ("yes", "chosen"), ("no", "rejected")))
    assert findings_of(convert_rows(row, options=options)) == ["unknown-key $.in.mood"]


def test_an_ignored_key_may_stand_in_a_message_and_under_a_pattern():
    row = json.loads(json.dumps(SWIFT)) | {"extra.x": 1}
    row["messages"][0]["mood"] = "calm"
    converted = convert_rows(row, options=Options(ignore=frozenset({"mood", "extra.*"})))
    assert json.loads(converted.pairs)["messages"] == SWIFT["messages"]


# What must not be guessed


@pytest.mark.parametrize("key", sorted(ORIGIN_OR_PROMPT))
@pytest.mark.parametrize(("one", "two", "more"), [("chosen", "rejected", {}), ("a", "b", {"winner": "a"})])
def test_an_implicit_prompt_is_not_taken_where_a_column_could_be_it(key, one, two, more):
    row = {key: "他来了。", one: "The man has come.", two: "The man has gone."}
    assert findings_of(convert_rows(row | more)) == [f"unknown-key $.{key}"]


@pytest.mark.parametrize("more", [{"id": 1, "mood": 1}, {"tag": "calm", "mood": "calm"}, {"margin": 1, "mood": True}])
def test_a_value_that_another_key_has_by_chance_is_no_copy(more):
    assert findings_of(convert_rows(ROW | more)) == ["unknown-key $.mood"]


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
        (ROW | {"score_chosen": 2, "score_rejected": 1.5}, "small-margin $"),
    ],
)
def test_parts_of_a_row_that_contradict_each_other_are_named(row, fault):
    assert findings_of(convert_rows(row)) == [fault]


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        ({"role": "tool", "content": "{}"}, "unsupported-key $.messages[0].role"),
        ({"role": "user", "content": [{"type": "image"}]}, "unsupported-key $.messages[0].content"),
        ({"role": "user", "content": "?", "weight": 0}, "unsupported-key $.messages[0].weight"),
        ({"role": "user", "from": "system", "content": "?"}, "ambiguous-key $.messages[0].from"),
        ({"role": "user", "content": "?", "value": "!"}, "ambiguous-key $.messages[0].value"),
        (
            {"role": "user", "content": [{"type": "text", "text": "?", "image": "a.png"}]},
            "unsupported-key $.messages[0].content[0].image",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": "?", "x": 1}]},
            "unknown-key $.messages[0].content[0].x",
        ),
        ({"role": "user", "content": "?", "thinking": "Hm."}, "unknown-key $.messages[0].thinking"),
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


@pytest.mark.parametrize("role", ["assistant", "gpt", "ai", "model"])
def test_the_thought_of_an_assistant_of_any_name_is_read(role):
    answer = {"role": role, "content": "a", "thinking": "Hm."}
    assert "analysis<|message|>Hm." in convert_rows(SWIFT | {"messages": [ASKED, answer]}).pairs.decode()


def test_a_thought_that_is_no_text_is_named():
    answer = {"role": "assistant", "content": "a", "thinking": ["x"]}
    fault = "wrong-structure $.messages[1].thinking"
    assert findings_of(convert_rows(SWIFT | {"messages": [ASKED, answer]})) == [fault]


SAID = [ASKED, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": "And?"}]


@pytest.mark.parametrize(
    "text", ["?", "And?", "user: ?", "User: ?\nAssistant: Hm.\nUser: And?\nAssistant:", "?\n\nHm.\n\nAnd?"]
)
def test_a_prompt_may_be_the_conversation_as_text(text):
    row = {"prompt": text, "chosen": [*SAID, ANSWER], "rejected": [*SAID, ANSWER | {"content": "b"}]}
    assert json.loads(convert_rows(row).pairs)["messages"] == [*SAID, ANSWER]


@pytest.mark.parametrize("text", ["Be rude. ?", "User: Be rude.\nUser: ?\nAssistant: Hm.\nUser: And?", "Hm.", "What?"])
def test_a_prompt_that_says_more_than_the_conversation_is_named(text):
    row = {"prompt": text, "chosen": [*SAID, ANSWER], "rejected": [*SAID, ANSWER | {"content": "b"}]}
    assert findings_of(convert_rows(row)) == ["prompts-differ $.prompt"]


def test_two_thoughts_of_one_message_that_differ_are_named():
    answer = {"role": "assistant", "content": "a", "thinking": "x", "reasoning": "y"}
    assert findings_of(convert_rows(SWIFT | {"messages": [SWIFT["messages"][0], answer]})) == [
        "ambiguous-key $.messages[1]"
    ]


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


def test_tools_of_a_nested_column_are_named_as_what_cannot_be_trained():
    row = {"input": {"messages": [ASKED], "tools": [{"x": 1}]}, "preferred_output": [ANSWER]}
    row["non_preferred_output"] = [ANSWER | {"content": "b"}]
    assert findings_of(convert_rows(row)) == ["unsupported-key $.input.tools"]


def test_the_keys_that_were_not_read_are_counted_by_row(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [ROW | {"id": n, "url": u} for n, u in ((1, "x"), (2, None))])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", on_problem="drop")
    assert Counter(read_quality(tmp_path / "out")["keys_left"]) == Counter(url=1)
