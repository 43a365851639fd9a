"""Every code, against rejects and counts that were written by hand; and what a bad row does to the others."""

import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.preferences.convert_files import must_stop
from pipeline.preferences.ledger import Counts
from pipeline.preferences.problems import PROBLEMS, UNREADABLE
from pipeline.preferences.translation import PLACEHOLDER, find_lost
from tests.support.conversion import GOLDEN, ZH_EN, convert, name_of, raw_files, read_pairs, read_quality, read_rejects

FOLDER = GOLDEN / "problems"
RAW = {name_of(path): path for path in raw_files(FOLDER)}
# These need the model's tokenizer, and come from a later stage.
OF_TOKENS = {"too-many-tokens", "truncated", "no-supervised-token", "other-prompt"}
# Of a file that changes while it is read: test_read_files.py.
CODES = sorted(set(PROBLEMS) - OF_TOKENS - {"changed-file"})
SEVERITY = {code: PROBLEMS[code].severity for code in CODES}
ERRORS = [code for code in CODES if SEVERITY[code] == "error"]
REJECTED = [code for code in CODES if SEVERITY[code] != "warning"]
WARNINGS = [code for code in CODES if SEVERITY[code] == "warning"]
TRANSLATED = ("wrong-language", "lost-placeholder", "lost-number", "lost-tag", "lost-url")


def pair(question: str, chosen: str = "Yes", rejected: str = "No", **keys) -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": chosen}]
    return {**keys, "messages": messages, "rejected_response": rejected}


def line(row: dict) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


GOOD = line(pair("打开文件", "Open the file", "Opening a file", id="a"))
LAST = line(pair("1 + 1?", "2", "3", id="z"))


def biased_set() -> bytes:
    """Return a hundred pairs; in eighty the longer answer is chosen."""
    questions = [hashlib.sha256(b"%d" % number).hexdigest()[:16] for number in range(100)]
    answers = [("Certainly", "No")] * 80 + [("No", "Certainly")] * 20
    return b"".join(line(pair(question, *both)) for question, both in zip(questions, answers, strict=True))


# Files that are not text, or too large to be kept.
GENERATED = {
    "not-utf8": GOOD + line(pair("关#", id="b")).replace(b"#", b"\xff") + LAST,
    "too-deep": GOOD + b'{"id": "b", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n" + LAST,
    "too-large": GOOD + line(pair("x" * (16 << 20), id="b")) + LAST,
    "length-bias": biased_set(),
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that converts a code's file, from the folder that it is in."""

    def run_code(code: str, **changes: Any) -> str | None:
        folder = FOLDER
        if code in GENERATED:
            folder = tmp_path / "raw"
            folder.mkdir()
            (folder / f"{code}.jsonl").write_bytes(GENERATED[code])
        monkeypatch.chdir(folder)
        languages = ZH_EN if code in TRANSLATED else None
        name = f"{code}.jsonl" if code in GENERATED else RAW[code].name
        changes |= {"raw": [{"file": name, "limit": 1}]} if code == "over-limit" else {}
        return convert(name, tmp_path, languages=languages, **changes)

    return run_code


@pytest.mark.parametrize("code", UNREADABLE)
def test_a_file_of_which_rows_are_missing_stops_even_where_rows_are_dropped(code):
    assert must_stop(Counts(codes=Counter({code: 1})), stop=False)


# Golden files


def test_every_code_has_a_file():
    assert set(RAW) | set(GENERATED) == set(CODES)


@pytest.mark.parametrize("code", REJECTED)
def test_a_row_is_rejected_with_its_place_its_fault_and_what_to_do(run, tmp_path, code):
    run(code)
    assert read_rejects(tmp_path) == read_json_lines(FOLDER / f"{code}.rejects.jsonl")


@pytest.mark.parametrize("code", REJECTED)
def test_a_rejected_row_is_counted_under_its_code_alone(run, tmp_path, code):
    run(code)
    assert read_quality(tmp_path)["codes"] == {code: len(read_json_lines(FOLDER / f"{code}.rejects.jsonl"))}


@pytest.mark.parametrize("code", WARNINGS)
def test_a_warning_is_counted_with_its_places(run, tmp_path, code):
    run(code)
    quality = read_quality(tmp_path)
    expected = json.loads((FOLDER / f"{code}.quality.json").read_bytes())
    assert {"codes": quality["codes"], "examples": quality["examples"]} == expected


@pytest.mark.parametrize("code", WARNINGS)
def test_a_row_that_is_warned_of_is_used(run, tmp_path, code):
    assert run(code) is None
    assert read_rejects(tmp_path) == []


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_stops_the_conversion_without_pairs(run, tmp_path, code):
    message = run(code)
    assert message and f"({code})" in message
    assert {path.name for path in tmp_path.glob("*.json*")} == {"rejects.jsonl", "quality.json"}


@pytest.mark.parametrize("code", [code for code in REJECTED if SEVERITY[code] == "unused"])
def test_a_row_that_is_unused_stops_nothing(run, tmp_path, code):
    assert run(code) is None
    assert len(read_pairs(tmp_path)) == 1


@pytest.mark.parametrize("code", [code for code in ERRORS if code not in (*UNREADABLE, "unknown-format")])
def test_the_rows_after_a_bad_one_go_on_where_bad_ones_are_dropped(run, tmp_path, code):
    assert run(code, on_problem="drop") is None
    good = read_quality(tmp_path)["rows_in"] - len(read_json_lines(FOLDER / f"{code}.rejects.jsonl"))
    assert len(read_pairs(tmp_path)) == good > 0


def test_the_last_row_goes_on_after_all_bad_ones(run, tmp_path):
    run("not-json", on_problem="drop")
    assert [pair["id"] for pair in read_pairs(tmp_path)] == ["a", "z"]


@pytest.mark.parametrize("on_problem", ["stop", "drop"])
def test_a_broken_file_stops_even_where_bad_rows_are_dropped(run, tmp_path, on_problem):
    message = run("broken-file", on_problem=on_problem)
    assert message and message.startswith("broken-file.json:3: column 28: not a JSON array: Expecting value;")
    assert not (tmp_path / "pairs.jsonl").exists()


# Faults in odd clothes


@pytest.fixture
def find(tmp_path):
    """Return a function that converts lines, and returns the line and the code of what is rejected."""

    def find_faults(*lines: bytes) -> list[tuple[int, str]]:
        (tmp_path / "raw.jsonl").write_bytes(b"".join(lines))
        convert(tmp_path / "raw.jsonl", tmp_path / "out", on_problem="drop")
        return [(reject["line"], reject["code"]) for reject in read_rejects(tmp_path / "out")]

    return find_faults


@pytest.mark.parametrize(
    ("answer", "code"),
    [(r"<think><\/think>Open it", "empty-think"), (r"Open it<\/think>", "think-text")],
)
def test_an_escaped_slash_hides_no_think_tag(find, answer, code):
    # PHP writes slashes so.
    assert find(line(pair("关闭文件", "ANSWER")).replace(b"ANSWER", answer.encode())) == [(1, code)]


@pytest.mark.parametrize("analysis", ["", " ", "\n\n"])
@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_an_empty_analysis_channel_is_named_and_not_trained_as_thinking(find, side, analysis):
    answer = f"<|channel|>analysis<|message|>{analysis}<|end|><|start|>assistant<|channel|>final<|message|>Close it"
    row = pair("关闭文件", answer) if side == "chosen" else pair("关闭文件") | {"rejected_response": answer}
    assert find(GOOD, line(row)) == [(2, "empty-think")]


def test_a_text_that_is_not_utf8_is_found_under_a_key_that_is_not_read(find):
    row = line(pair("关闭文件", note="#")).replace(b"#", b"\xff")
    assert find(GOOD, row) == [(2, "not-utf8")]


@pytest.mark.parametrize("text", ['"id" : "b", "id": "c"', '"id": "b", "id"\t: "c"'])
def test_a_key_that_stands_twice_is_found_with_any_spacing(find, text):
    row = line(pair("关闭文件", id="b")).replace(b'"id": "b"', text.encode())
    assert find(GOOD, row) == [(2, "duplicate-key")]


@pytest.mark.parametrize("depth", [300, 600, 900])
def test_a_row_is_named_that_is_nested_deeply_and_wrong(find, depth):
    row = b'{"id": "b", "x": ' + b"[" * depth + b"]" * depth + b"}\n"
    ((number, code),) = find(GOOD, row, LAST)
    assert number == 2 and code in ("wrong-structure", "too-deep")


def test_a_pair_that_is_written_twice_under_one_id_is_rejected_once(find):
    assert find(GOOD, GOOD) == [(2, "duplicate-id")]


def test_an_id_that_a_nameless_row_gets_is_taken(find):
    assert find(line(pair("1?", id="row-2")), line(pair("2?"))) == [(2, "duplicate-id")]


@pytest.mark.parametrize("beside", [b"", b"?\n"], ids=["alone", "beside a bad row"])
def test_all_faults_of_a_row_are_named(tmp_path, beside):
    (tmp_path / "raw.jsonl").write_bytes(beside + line(pair("<|end|>", "<think>a</think>", " ")))
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    *_, reject = read_rejects(tmp_path / "out")
    assert {reject["code"], *(more["code"] for more in reject["more"])} == {"control-token", "think-text", "blank-text"}


def test_the_column_of_a_byte_in_an_array_is_that_of_the_file(tmp_path):
    array = b"[" + GOOD.rstrip() + b", " + line(pair("#")).rstrip().replace(b"#", b"\xff") + b"]"
    (tmp_path / "raw.json").write_bytes(array)
    convert(tmp_path / "raw.json", tmp_path / "out")
    (reject,) = read_rejects(tmp_path / "out")
    # No column is better than one that is not on the line that is named.
    assert reject.get("column", None) in (None, len(array[: array.index(b"\xff")].decode()) + 1)


def test_the_message_names_an_error_before_rows_that_are_only_unused(tmp_path):
    close = [{"text": text, "score": 1} for text in "ab"]
    same = [{"text": "a", "score": score} for score in (1, 9)]
    rows = [{"prompt": "1?", "completions": close}, {"prompt": "2?", "completions": same}]
    write_json_lines(tmp_path / "raw.jsonl", rows)
    message = convert(tmp_path / "raw.jsonl", tmp_path / "out")
    assert message and "(same-answers)" in message


@pytest.mark.parametrize(
    "question", ["已删除 %s 个", "已删除%s个", "{{user}}你好", "支付$1元", "%(name)s你好", "已删除%1$s个"]
)
def test_a_placeholder_between_chinese_characters_is_found(question, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [pair(question, "No such thing", "Nothing")])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", languages=ZH_EN)
    assert "lost-placeholder" in read_quality(tmp_path / "out")["codes"]


def test_translations_are_not_checked_where_no_languages_are_declared(tmp_path):
    assert convert(RAW["lost-placeholder"], tmp_path) is None
    assert read_quality(tmp_path)["codes"] == {}


@pytest.mark.parametrize(
    ("row", "code"),
    [(pair("Open", "打开"), "wrong-language"), (pair(" ", "Open", " "), "blank-text")],
    ids=["warned of", "rejected"],
)
def test_a_row_is_counted_and_shown_once_under_a_code_that_it_has_twice(tmp_path, row, code):
    write_json_lines(tmp_path / "raw.jsonl", [pair("关闭", "Close"), row])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", languages=ZH_EN, on_problem="drop")
    quality = read_quality(tmp_path / "out")
    assert quality["codes"] == {code: 1}
    assert quality["examples"] == {code: [f"{tmp_path}/raw.jsonl:2"]}


def test_a_placeholder_is_named_as_often_as_it_is_missing():
    assert find_lost(PLACEHOLDER, "%s %s %s", "%s") == ["%s", "%s"]
