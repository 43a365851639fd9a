"""Every format and kind of file, against pairs that were written by hand."""

import csv
import gzip
import hashlib
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.preferences.formats.trl import common_beginning
from pipeline.preferences.options import Options
from pipeline.preferences.read_row import recognise_row
from tests.support.conversion import GOLDEN, convert, name_of, raw_files, read_pairs, read_quality, read_rejects

FORMATS = GOLDEN / "formats"
RAW = raw_files(FORMATS)
OUTPUTS = ("pairs.jsonl", "places.jsonl", "rejects.jsonl", "quality.json")
# Other files begin with the name of their format.
FORMAT_OF = {
    "array-one-line": "alpaca",
    "array-pretty": "trl",
    "sharegpt": "trl",
    "ultrafeedback-binarized": "trl",
} | {name: name.partition("-")[0] for name in map(name_of, RAW) if not name.startswith(("array", "ultra", "share"))}


def expected_pairs(name: str) -> list[dict]:
    return read_json_lines(FORMATS / f"{name}.pairs.jsonl")


def pair(question: str, chosen: str = "Yes", rejected: str = "No", **keys) -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": chosen}]
    return {**keys, "messages": messages, "rejected_response": rejected}


# Golden files


def test_every_file_has_its_pairs_beside_it():
    assert {name_of(path) for path in RAW} == {name_of(path) for path in FORMATS.glob("*.pairs.jsonl")}


@pytest.mark.parametrize("raw", RAW, ids=lambda path: path.name)
def test_a_file_becomes_the_pairs_that_its_format_means(raw, tmp_path):
    out = tmp_path / "run" / "data"  # which are made
    assert convert(raw, out) is None
    assert read_pairs(out) == expected_pairs(name_of(raw))


@pytest.mark.parametrize("raw", RAW, ids=lambda path: path.name)
def test_a_file_is_recognised_by_its_content(raw, tmp_path):
    convert(raw, tmp_path)
    assert [file["format"] for file in read_quality(tmp_path)["files"]] == [FORMAT_OF[name_of(raw)]]


@pytest.mark.parametrize("raw", RAW, ids=lambda path: path.name)
def test_a_named_format_gives_what_a_recognised_one_does(raw, tmp_path):
    assert convert(raw, tmp_path, format=FORMAT_OF[name_of(raw)]) is None
    assert read_pairs(tmp_path) == expected_pairs(name_of(raw))


@pytest.mark.parametrize("raw", [*RAW, *raw_files(GOLDEN / "problems")], ids=lambda path: path.name)
def test_the_account_of_a_file_adds_up(raw, tmp_path):
    convert(raw, tmp_path, on_problem="drop")
    quality = read_quality(tmp_path)
    assert quality["rows_in"] == quality["rows_used"] + quality["rows_rejected"]
    assert quality["rows_rejected"] == len(read_rejects(tmp_path))


@pytest.mark.parametrize("raw", [path for path in RAW if not path.name.startswith(("mqm", "rated"))], ids=name_of)
def test_every_row_of_a_good_file_is_used(raw, tmp_path):
    convert(raw, tmp_path)
    quality = read_quality(tmp_path)
    assert quality["rows_in"] == quality["rows_used"] == quality["pairs"] == len(expected_pairs(name_of(raw)))


@pytest.mark.parametrize("pairs", sorted(FORMATS.glob("*.pairs.jsonl")), ids=name_of)
def test_pairs_are_read_as_what_they_are(pairs, tmp_path):
    raw = tmp_path / "raw.jsonl"
    raw.write_bytes(pairs.read_bytes())
    assert convert(raw, tmp_path / "out") is None
    assert read_pairs(tmp_path / "out") == read_json_lines(pairs)


def test_an_mqm_annotation_that_is_in_no_pair_is_named_as_unused(tmp_path):
    assert convert(FORMATS / "mqm.tsv", tmp_path) is None
    found = [(reject["line"], reject["code"]) for reject in read_rejects(tmp_path)]
    assert found == [(9, "small-margin"), (10, "small-margin"), (11, "small-margin"), (12, "not-paired")]


def test_a_smaller_margin_makes_more_pairs(tmp_path):
    convert(FORMATS / "mqm.tsv", tmp_path, min_margin=0.1)
    assert "news.1/1/2:human-A>online-B" in {pair["id"] for pair in read_pairs(tmp_path)}


def test_a_blank_line_among_mqm_annotations_is_no_row(tmp_path):
    raw = tmp_path / "mqm.tsv"
    raw.write_bytes((FORMATS / "mqm.tsv").read_bytes() + b"\n")
    convert(raw, tmp_path / "out")
    assert read_quality(tmp_path / "out")["rows_in"] == 14


# Kinds of files that are made here


def test_parquet_holds_what_json_lines_do(tmp_path):
    rows = [{"id": None} | row for row in read_json_lines(FORMATS / "trl-messages.jsonl")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "trl-messages.parquet")
    assert convert(tmp_path / "trl-messages.parquet", tmp_path / "out") is None
    assert read_pairs(tmp_path / "out") == expected_pairs("trl-messages")


@pytest.mark.parametrize("name", ["swift.jsonl", "array-pretty.json", "trl-table.csv", "mqm.tsv"])
@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_packed_file_is_read_as_the_file_in_it(name, ending, pack, tmp_path):
    (tmp_path / f"{name}{ending}").write_bytes(pack((FORMATS / name).read_bytes()))
    assert convert(tmp_path / f"{name}{ending}", tmp_path / "out") is None
    assert read_pairs(tmp_path / "out") == expected_pairs(name.partition(".")[0])


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_packed_file_that_was_cut_off_is_no_whole_file(ending, pack, tmp_path):
    # Hexadecimal digits cannot be packed well, so that whole blocks come before the cut.
    rows = [pair(hashlib.sha256(b"%d" % number).hexdigest()) for number in range(4000)]
    packed = pack(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    (tmp_path / f"cut.jsonl{ending}").write_bytes(packed[: len(packed) * 3 // 4])
    message = convert(tmp_path / f"cut.jsonl{ending}", tmp_path / "out", on_problem="drop")
    assert message and "(broken-file)" in message
    assert not (tmp_path / "out" / "pairs.jsonl").exists()


def test_a_file_that_unpacks_to_too_much_is_left(tmp_path):
    (tmp_path / "zeros.jsonl.gz").write_bytes(gzip.compress(b"\n" * 2_000_000))
    message = convert(tmp_path / "zeros.jsonl.gz", tmp_path / "out", max_unpacked_gb=0.001)
    assert message and "unpacks to more than 0.001 GB, the limit of data.max_unpacked_gb" in message


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """Work in a folder with files of several formats and kinds."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mixed"
    (folder / "more").mkdir(parents=True)
    for name in ("alpaca.jsonl", "hh.jsonl", "mqm.tsv"):
        (folder / name).write_bytes((FORMATS / name).read_bytes())
    (folder / "more" / "trl.jsonl.gz").write_bytes(gzip.compress((FORMATS / "trl-messages.jsonl").read_bytes()))
    (folder / "README.md").write_text("No data.")
    (folder / ".hidden.jsonl").write_text("?")
    return folder


def without_ids(pairs: list[dict]) -> list[dict]:
    return [{key: value for key, value in pair.items() if key != "id"} for pair in pairs]


def test_a_folder_of_several_formats_is_read_file_by_file(mixed):
    assert convert("mixed", mixed / "out", on_problem="drop") is None
    files = [(file["file"], file["format"]) for file in read_quality(mixed / "out")["files"]]
    assert files == [
        ("mixed/alpaca.jsonl", "alpaca"),
        ("mixed/hh.jsonl", "hh"),
        ("mixed/more/trl.jsonl.gz", "trl"),
        ("mixed/mqm.tsv", "mqm"),
    ]


def test_a_folder_gives_the_pairs_of_all_its_files(mixed):
    (mixed / "hh.jsonl").unlink()  # asks for a fruit too, as alpaca does
    assert convert("mixed", mixed / "out") is None
    expected = [pair for name in ("alpaca", "trl-messages", "mqm") for pair in expected_pairs(name)]
    assert without_ids(read_pairs(mixed / "out")) == without_ids(expected)


def test_rows_are_numbered_on_from_file_to_file(tmp_path):
    for name in ("a", "b", "c"):
        write_json_lines(tmp_path / f"{name}.jsonl", [pair(f"{name}{number}?") for number in range(2)])
    convert(f"{tmp_path}/[abc].jsonl", tmp_path / "out")
    assert [pair["id"] for pair in read_pairs(tmp_path / "out")] == [f"row-{number}" for number in range(1, 7)]


def test_a_pair_that_another_file_has_too_is_named_with_that_file(mixed):
    convert("mixed", mixed / "out", on_problem="drop")
    (reject,) = (reject for reject in read_rejects(mixed / "out") if reject["code"] == "duplicate-pair")
    assert (reject["file"], reject["line"]) == ("mixed/hh.jsonl", 1)
    assert reject["problem"].endswith("mixed/alpaca.jsonl:2")


def test_a_pair_that_an_earlier_array_has_is_named_with_its_row_in_its_own(tmp_path):
    for name, questions in (("a", ["1?", "2?"]), ("b", ["3?", "2?"])):
        (tmp_path / f"{name}.json").write_text(json.dumps(list(map(pair, questions)), indent=0), encoding="utf-8")
    convert(f"{tmp_path}/*.json", tmp_path / "out", on_problem="drop")
    (reject,) = read_rejects(tmp_path / "out")
    assert (reject["file"], reject["row"], reject["code"]) == (f"{tmp_path}/b.json", 2, "duplicate-pair")
    assert "a.json:" in reject["problem"] and reject["problem"].endswith(" (row 2)")


def test_a_glob_names_some_files_of_a_folder(mixed):
    assert convert("mixed/*.tsv", mixed / "out") is None
    assert read_pairs(mixed / "out") == expected_pairs("mqm")


def test_a_double_star_reaches_into_folders(mixed):
    assert convert("mixed/**/trl*", mixed / "out") is None
    assert read_pairs(mixed / "out") == expected_pairs("trl-messages")


@pytest.mark.parametrize("raw", ["none.jsonl", "none/*.jsonl"])
def test_a_file_that_is_not_there_is_named(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = "no such file; name a file, a folder with data files in it, or a glob in quotes"
    assert convert(raw, tmp_path / "out") == f"{raw}: {message}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.jsonl", b""), ("a.jsonl", b"\n \n"), ("a.json", b"[ ]"), ("a.csv", b"prompt,chosen,rejected\n")],
)
def test_a_file_without_rows_is_named(name, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)
    expected = f"{name}: no rows; expected preference pairs in one of the formats of docs/data.md"
    assert convert(name, tmp_path / "out") == expected


# Tables


def write_csv(path, *rows):
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("prompt", "chosen", "rejected"), *rows])


@pytest.mark.parametrize("answer", ['{"ok": true}', '[{"id": 1}]', "[]", "{}", '[["a", 1]]'])
def test_an_answer_in_a_table_that_looks_like_json_stays_text(answer, tmp_path):
    write_csv(tmp_path / "raw.csv", ("Which JSON?", answer, "I do not know."))
    assert convert(tmp_path / "raw.csv", tmp_path / "out") is None
    assert read_pairs(tmp_path / "out")[0]["messages"][-1]["content"] == answer


def test_the_numbers_of_rows_that_pandas_writes_are_left(tmp_path):
    (tmp_path / "raw.csv").write_text(",prompt,chosen,rejected\n0,?,a,b\n", encoding="utf-8")
    assert convert(tmp_path / "raw.csv", tmp_path / "out") is None
    assert read_quality(tmp_path / "out")["keys_left"] == {"Unnamed: 0": 1}


def test_a_bad_row_of_a_table_is_named_with_the_line_that_it_begins_on(tmp_path):
    write_csv(tmp_path / "raw.csv", ("1?", "one\ntwo", "3"), ("2?", "same", "same"), ("3?", "a"))
    convert(tmp_path / "raw.csv", tmp_path / "out")
    places = [(reject["line"], reject["row"], reject["code"]) for reject in read_rejects(tmp_path / "out")]
    assert places == [(4, 2, "same-answers"), (5, 3, "wrong-structure")]


def test_a_column_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "raw.csv").write_text("prompt,chosen,rejected,chosen\n1 + 1?,2,3,4\n")
    assert convert(tmp_path / "raw.csv", tmp_path / "out")


# The wrong format


def test_the_format_of_a_file_without_a_known_one_is_called_unknown(tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [{"question": "?"}])
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    assert [file["format"] for file in read_quality(tmp_path / "out")["files"]] == ["unknown"]


@pytest.mark.parametrize(
    ("more", "format_name"),
    [
        ({"prompt": "?"}, "trl"),
        ({"prompt": "?", "input": "x"}, "trl"),
        ({"question": "?"}, "trl"),
        ({"instruction": "?"}, "alpaca"),
        ({"a": "x", "b": "y"}, "ab"),
        (pair("?"), "swift"),
    ],
)
def test_the_format_of_two_texts_depends_on_what_stands_beside_them(more, format_name):
    assert recognise_row({"chosen": "a", "rejected": "b"} | more, Options()) == format_name


def test_a_wrong_format_is_named_with_the_right_one(tmp_path):
    message = convert(FORMATS / "trl-text.jsonl", tmp_path, format="swift")
    assert message and "trl-text.jsonl:1: its keys are those of the trl format" in message


def test_json_lines_are_no_mqm(tmp_path):
    message = convert(FORMATS / "swift.jsonl", tmp_path, format="mqm")
    assert message and "swift.jsonl:1: MQM annotations are read from .tsv and .csv files only" in message


def test_another_table_is_no_mqm(tmp_path):
    message = convert(FORMATS / "trl-tabs.tsv", tmp_path, format="mqm")
    assert message and "trl-tabs.tsv:1: these are not the columns of MQM annotations" in message


def test_rows_of_two_formats_in_one_file_are_named(tmp_path):
    trl = {"prompt": "1 + 1?", "chosen": "2", "rejected": "3"}
    write_json_lines(tmp_path / "raw.jsonl", [pair("a?"), trl])
    message = convert(tmp_path / "raw.jsonl", tmp_path / "out")
    assert message and "raw.jsonl:2: its keys are those of the trl format" in message


# Faults of single formats


ASKED, ASKED_ELSE = ({"role": "user", "content": text} for text in "?!")
GOOD, BAD = ({"role": "assistant", "content": text} for text in "ab")
TRANSCRIPT = "\n\nHuman: ?\n\nAssistant: a"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"messages": [ASKED, GOOD], "rejected_messages": [ASKED_ELSE, BAD]}, "prompts-differ: $.rejected_messages"),
        ({"messages": [ASKED, GOOD], "rejected_messages": [ASKED]}, "no-final-answer: $.rejected_messages"),
        ({"chosen": TRANSCRIPT, "rejected": f"{TRANSCRIPT}\n\nHuman: b"}, "no-final-answer: $.rejected"),
        ({"chosen": TRANSCRIPT, "rejected": "\n\nHuman: !\n\nAssistant: b"}, "prompts-differ: $.rejected"),
        ({"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD], "prompt": " "}, "blank-text: $.prompt"),
        ({"chosen": [ASKED, GOOD], "rejected": [ASKED]}, "no-final-answer: $.rejected"),
        ({"chosen": [ASKED, GOOD], "rejected": [ASKED_ELSE, BAD]}, "prompts-differ: $.rejected"),
    ],
)
def test_a_rejected_answer_without_an_end_or_to_another_prompt_and_a_blank_prompt_are_named(row, fault, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [row])
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    (reject,) = read_rejects(tmp_path / "out")
    assert f"{reject['code']}: {reject['path']}" == fault


@pytest.mark.parametrize(
    ("row", "format_name", "fault"),
    [
        ({"chosen": f"x{TRANSCRIPT}", "rejected": TRANSCRIPT}, "hh", "wrong-structure: $.chosen"),
        ({"chosen": TRANSCRIPT, "rejected": "b"}, "hh", "wrong-structure: $.rejected"),
        ({"chosen": "a", "rejected": "b"}, "trl", "no-user-turn: $"),
    ],
)
def test_answers_from_which_no_prompt_can_be_taken_are_named(row, format_name, fault, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [row])
    convert(tmp_path / "raw.jsonl", tmp_path / "out", format=format_name)
    (reject,) = read_rejects(tmp_path / "out")
    assert f"{reject['code']}: {reject['path']}" == fault


@pytest.mark.parametrize(("one", "two"), [("ab", "abc"), ("abc", "ab"), ("ab", "ab"), ("abcd", "abdc")])
def test_an_implicit_prompt_is_what_both_answers_begin_with(one, two):
    assert common_beginning(one, two) == "ab"


CONTROL = "<|end|>"  # which no text may hold
SCORED = [{"response": text, "score": score} for text, score in (("b", 1), (CONTROL, 5), ("c", 9))]


def turn(text: str, speaker: str = "gpt") -> dict[str, str]:
    return {"from": speaker, "value": text}


RANKED = {"conversations": [turn("?", "human")], "chosen": turn("a"), "rejected": turn("b")}


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"instruction": "?", "chosen": "a", "rejected": "b", "system": CONTROL}, "$.system"),
        ({"instruction": "?", "chosen": "a", "rejected": "b", "history": [["?", CONTROL]]}, "$.history[0][1]"),
        ({"instruction": CONTROL, "chosen": "a", "rejected": "b"}, "$.instruction"),
        ({"instruction": "?", "chosen": CONTROL, "rejected": "b"}, "$.chosen"),
        ({"instruction": "?", "chosen": "a", "rejected": CONTROL}, "$.rejected"),
        (RANKED | {"conversations": [turn(CONTROL, "human")]}, "$.conversations[0].value"),
        (RANKED | {"chosen": turn(CONTROL)}, "$.chosen.value"),
        (RANKED | {"rejected": turn(CONTROL)}, "$.rejected.value"),
        ({"prompt": CONTROL, "chosen": "a", "rejected": "b"}, "$.prompt"),
        ({"prompt": "?", "chosen": CONTROL, "rejected": "b"}, "$.chosen"),
        ({"prompt": "?", "chosen": "a", "rejected": CONTROL}, "$.rejected"),
        ({"prompt": CONTROL, "completions": SCORED[::2]}, "$.prompt"),
        ({"prompt": "?", "completions": SCORED[:2]}, "$.completions[1]"),
        ({"prompt": "?", "completions": SCORED[1:]}, "$.completions[0]"),
        ({"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD | {"content": CONTROL}]}, "$.rejected[1].content"),
        ({"chosen": [ASKED, GOOD | {"content": CONTROL}], "rejected": [ASKED, BAD]}, "$.chosen[1].content"),
    ],
)
def test_a_fault_is_named_with_the_path_of_its_text_in_the_row(row, path, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [row])
    convert(tmp_path / "raw.jsonl", tmp_path / "out")
    (reject,) = read_rejects(tmp_path / "out")
    assert (reject["code"], reject["path"]) == ("control-token", path)


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [ASKED, GOOD], "rejected_response": "b"},
        {"messages": [ASKED, GOOD], "rejected_messages": [ASKED, BAD]},
        {"instruction": "?", "chosen": "a", "rejected": "b"},
        {"chosen": TRANSCRIPT, "rejected": "\n\nHuman: ?\n\nAssistant: b"},
        RANKED,
        {"prompt": "?", "chosen": "a", "rejected": "b"},
        {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"prompt": "?", "completions": [{"response": "b", "score": 1}, {"response": "a", "score": 9}]},
    ],
)
def test_a_row_of_every_format_keeps_its_id_and_its_tag(row, tmp_path):
    write_json_lines(tmp_path / "raw.jsonl", [{"id": "n1", "tag": "tone"} | row])
    assert convert(tmp_path / "raw.jsonl", tmp_path / "out") is None
    assert read_pairs(tmp_path / "out") == [pair("?", "a", "b", id="n1", tag="tone")]


# Any number of processes


def many_lines(size: int) -> bytes:
    """Return rows of about this many bytes, some of them broken, repeated or contradicting others."""
    chance, lines, length = random.Random(17), [], 0
    words = [hashlib.sha256(b"%d" % number).hexdigest()[:7] for number in range(2000)]
    while length < size:
        question, chosen, rejected = (" ".join(chance.choices(words, k=chance.randint(5, 90))) for _ in range(3))
        line = json.dumps(pair(question, chosen, rejected)).encode() + b"\n"
        kind = chance.randrange(400)
        if kind == 0:
            line = line[:-3] + b"\n"
        elif kind == 1:
            line = line.replace(b'"content": "', b'"content": "\xff', 1)
        elif kind == 2 and lines:
            line = chance.choice(lines)
        elif kind == 3:
            lines.append(json.dumps(pair(question, rejected, chosen)).encode() + b"\n")
        elif kind == 4:
            line += json.dumps(pair(f"{question} too", chosen, rejected)).encode() + b"\n"
        elif kind == 5:
            line = json.dumps(pair(question, "<think>\n</think>", rejected)).encode() + b"\n"
        lines.append(line)
        length += len(line)
    return b"".join(lines)


def test_the_number_of_processes_changes_no_byte(tmp_path):
    (tmp_path / "raw.jsonl").write_bytes(many_lines(20 << 20))
    for cores in (1, 2):
        assert convert(tmp_path / "raw.jsonl", tmp_path / str(cores), cores, on_problem="drop") is None
    assert {"not-json", "not-utf8", "duplicate-pair", "contradicting-pair", "near-duplicate-pair"} <= set(
        read_quality(tmp_path / "1")["codes"]
    )
    for name in OUTPUTS:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
