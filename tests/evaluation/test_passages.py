"""passages.py: which rows are passages of a neutral text, and which pairs contain one."""

import json

import pytest

from pipeline.evaluation.passages import QUESTION
from pipeline.files.json_lines import read_json_lines, write_json_lines
from scripts.check_neutral import main
from tests.support.conversion import convert
from tests.support.project import ROOT

ANSWER = {"role": "assistant", "content": "Task 2: Restore the port"}
ASKED = {"role": "user", "content": "任务二：恢复端口"}
TEXT = {"id": "en-1", "text": "A glacier forms where more snow falls than melts."}
TALK = {"id": "talk", "messages": [ASKED, ANSWER]}


def pair(question: str, chosen: str = "Yes", rejected: str = "No") -> dict:
    """Return a pair."""
    turns = [("user", question), ("assistant", chosen)]
    messages = [{"role": role, "content": text} for role, text in turns]
    return {"id": "p", "messages": messages, "rejected_response": rejected}


@pytest.fixture
def check(tmp_path):
    """Return a function that checks lines of a neutral text beside some pairs, and returns the passages."""

    def run(*lines: dict | str, trained: tuple[dict, ...] = ()) -> list[dict]:
        texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        (tmp_path / "neutral.jsonl").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        write_json_lines(tmp_path / "train.jsonl", trained)
        files = ["--trained", str(tmp_path / "train.jsonl"), "--passages", str(tmp_path / "passages.jsonl")]
        main([str(tmp_path / "neutral.jsonl"), *files])
        return read_json_lines(tmp_path / "passages.jsonl")

    return run


def refusal(run, *lines, **named) -> str:
    """Return the one line with which the script stops."""
    with pytest.raises(SystemExit) as stopped:
        run(*lines, **named)
    line = str(stopped.value)
    assert "\n" not in line
    return line


def test_a_text_is_the_answer_to_a_fixed_question_and_a_conversation_stays_as_it_is(check):
    asked = {"role": "user", "content": QUESTION}
    text = {"id": "en-1", "messages": [asked, {"role": "assistant", "content": TEXT["text"]}]}
    assert check(TEXT, TALK) == [text, TALK]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "(not-json)"),
        ('{"id": "a", "id": "b", "text": "c"}', "(duplicate-key)"),
        ("[]", "neutral.jsonl:2: not an id with a text or with messages"),
        ({"id": "a", "text": "b", "weight": 2}, "not an id with a text or with messages, and nothing else"),
        ({"id": 1, "text": "b"}, "id is not a text"),
        ({"id": "en-1", "text": "b"}, "the id 'en-1' is also that of another passage"),
        ({"id": "a", "text": 1}, "a message is not a role"),
        ({"id": "a", "text": " "}, "message 2: "),
        ({"id": "a", "text": "b<|message|>c"}, "control-token"),
        ({"id": "a", "messages": []}, "a message is not a role"),
        ({"id": "a", "messages": [ASKED]}, "the last message is not an answer"),
        ({"id": "a", "messages": [ANSWER]}, "the last message is not an answer"),
        ({"id": "a", "messages": [ASKED, ANSWER, ANSWER]}, "the last message is 'assistant'"),
        ({"id": "a", "messages": [ASKED | {"weight": 1}, ANSWER]}, "a message is not a role"),
    ],
)
def test_a_row_that_is_no_passage_is_named_with_its_line(check, line, said):
    assert said in refusal(check, TEXT, line)


def test_a_file_without_passages_is_named(check):
    assert "neutral.jsonl: no passages" in refusal(check)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"none: no such file; name a file of passages in evaluate\.neutral"):
        main([str(tmp_path / "none"), "--trained", "t", "--passages", "p"])


@pytest.mark.parametrize(
    "contains",
    [
        pair(f"Repeat this: {TEXT['text']} Thanks."),
        pair("Say it", chosen=TEXT["text"].replace(" ", "\n")),
        pair("Say it", rejected=TEXT["text"]),
        {"id": "conversation", "messages": pair("Say it", chosen=TEXT["text"])["messages"]},
    ],
    ids=["question", "chosen", "rejected", "conversation without a rejected answer"],
)
def test_a_text_that_a_row_of_the_training_contains_is_refused_by_its_name(check, contains):
    said = refusal(check, TEXT, TALK, trained=(pair("Hello"), contains))
    assert "neutral.jsonl: en-1: a row of" in said and "train.jsonl contains this passage" in said


def test_a_conversation_whose_question_a_pair_asks_is_refused_by_its_name(check):
    assert "neutral.jsonl: talk: a row of" in refusal(check, TEXT, TALK, trained=(pair(ASKED["content"]),))


LONG_ANSWER = {"role": "assistant", "content": "Ports are blocked by switches that see more than one address on them."}


@pytest.mark.parametrize("question", [ASKED, {"role": "user", "content": QUESTION}], ids=["its own", "the fixed one"])
def test_a_long_answer_is_found_whatever_was_asked_under_whatever_system_message(check, question):
    passage = {"id": "told", "messages": [{"role": "system", "content": "Translate."}, question, LONG_ANSWER]}
    assert "neutral.jsonl: told: a row of" in refusal(check, passage, trained=(pair("?", LONG_ANSWER["content"]),))


def test_the_text_after_the_fixed_question_is_found_under_a_system_message_too(check):
    turns = [{"role": "system", "content": "Be calm."}, {"role": "user", "content": QUESTION}, ANSWER]
    said = refusal(check, {"id": "told", "messages": turns}, trained=(pair("?", ANSWER["content"]),))
    assert "neutral.jsonl: told: a row of" in said


def test_a_short_answer_to_another_question_is_no_passage(check):
    assert len(check(TEXT, TALK, trained=(pair("?", ANSWER["content"]),))) == 2


def test_several_passages_are_counted(check):
    assert "talk and 1 more: " in refusal(check, TEXT, TALK, trained=(pair(ASKED["content"], rejected=TEXT["text"]),))


@pytest.mark.parametrize("text", [QUESTION, "任务二：恢复端口组"])
def test_pairs_that_are_only_alike_pass(check, text):
    assert len(check(TEXT, TALK, trained=(pair(text, chosen="A glacier forms."),))) == 2


def test_the_general_text_holds_62_passages_of_40_to_120_words_or_of_60_to_180_characters():
    rows = read_json_lines(ROOT / "pipeline" / "evaluation" / "neutral_text.jsonl")
    lengths = {row["id"]: len(row["text"].split()) for row in rows if row["id"][:2] not in ("zh", "ja")}
    characters = {row["id"]: len(row["text"]) for row in rows if row["id"] not in lengths}
    assert len(rows) == len(lengths) + len(characters) == 62
    assert [name for name, words in lengths.items() if not 40 <= words <= 120] == []
    assert [name for name, count in characters.items() if not 60 <= count <= 180] == []


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("pipeline/evaluation/neutral_text.jsonl", "data/preferences.jsonl"),
        ("data/interface/neutral.jsonl", "data/interface/pairs.jsonl"),
    ],
)
def test_no_pair_of_the_project_contains_a_passage_of_its_neutral_texts(text, pairs, tmp_path):
    assert convert(ROOT / pairs, tmp_path) is None
    trained = str(tmp_path / "pairs.jsonl")
    main([str(ROOT / text), "--trained", trained, "--passages", str(tmp_path / "passages.jsonl")])
    assert (tmp_path / "passages.jsonl").stat().st_size
