"""convert_preferences.py as a person meets it: what it prints, what it writes, how it ends."""

import json

import pytest

from scripts.convert_preferences import main
from tests.support.conversion import ZH_EN, options

PAIR = {
    "id": "a",
    "tag": "tone",
    "messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": "Save"}],
    "rejected_response": "Please save!",
}


def pair(question: str, **changes) -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "Save"}]
    return {"messages": messages, "rejected_response": "Please save!"} | changes


def lines(*rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """Run the script on some bytes; return its last line where it stops, else the pairs."""
    monkeypatch.chdir(tmp_path)

    def run(raw: bytes, **changes):
        (tmp_path / "raw.jsonl").write_bytes(raw)
        try:
            main(["raw.jsonl", "--out", "out", *options(**changes)])
        except SystemExit as stop:
            assert not (tmp_path / "out" / "pairs.jsonl").exists(), "pairs beside an error"
            return stop.code
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "pairs.jsonl",
            "places.jsonl",
            "quality.json",
            "rejects.jsonl",
        ]
        return [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").read_text("utf-8").splitlines()]

    return run


def test_a_good_row_is_kept_as_it_is(convert):
    assert convert(lines(PAIR)) == [PAIR]


def test_a_byte_order_mark_and_blank_lines_do_no_harm(convert):
    assert convert(b"\xef\xbb\xbf" + lines(PAIR) + b"\n\n") == [PAIR]


def test_lines_may_end_as_on_windows(convert):
    assert convert(lines(PAIR).replace(b"\n", b"\r\n")) == [PAIR]


def test_a_row_without_an_id_is_called_by_its_line(convert):
    assert [row["id"] for row in convert(lines(pair("one")) + b"\n" + lines(pair("two")))] == ["row-1", "row-3"]


@pytest.mark.parametrize("number", [7, 7.0])
def test_a_whole_number_is_an_id_too(convert, number):
    assert convert(lines(pair("one", id=number, tag="tone"))) == [pair("one", id="7", tag="tone")]


def test_keys_that_training_does_not_read_are_left_behind(convert):
    assert convert(lines(PAIR | {"source": "manual"})) == [PAIR]


def test_a_system_message_of_the_settings_is_checked_as_those_of_rows_are(convert):
    said = convert(lines(PAIR), system="Translate.\nReasoning: high")
    assert said and said.startswith("data.system: Reasoning: high inside a message; write one of low, medium, high;")


def test_a_system_message_is_given_to_pairs_that_have_none(convert):
    own = pair("two", messages=[{"role": "system", "content": "Own."}, *pair("two")["messages"]])
    first, second = convert(lines(pair("one"), own), system="Translate.")
    assert first["messages"][0] == {"role": "system", "content": "Translate."}
    assert second["messages"][0] == {"role": "system", "content": "Own."}


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (
            lines(PAIR) + b'{"messages": [\n',
            "raw.jsonl:2: column 15: Expecting value; write one JSON object on each line, or one JSON array "
            "(not-json), or go on without such rows: data.on_problem: drop",
        ),
        (
            lines(PAIR, pair("x", rejected_response=" "), PAIR),
            "raw.jsonl:2: $.rejected_response: empty, or white space alone; write the text, or remove the row "
            "(blank-text) (1 more in out/rejects.jsonl), or go on without such rows: data.on_problem: drop",
        ),
        (
            b'[{"messages": []},\n}',
            "raw.jsonl:2: column 1: not a JSON array: Expecting value; fix or replace the file (broken-file) "
            "(1 more in out/rejects.jsonl)",
        ),
        (b"", "raw.jsonl: no rows; expected preference pairs in one of the formats of docs/data.md"),
        (b"[]", "raw.jsonl: no rows; expected preference pairs in one of the formats of docs/data.md"),
    ],
    ids=["broken JSON", "two bad rows", "broken array", "empty file", "empty array"],
)
def test_it_stops_with_one_line_that_says_where_what_and_how_to_fix_it(convert, raw, line):
    assert convert(raw) == line


def test_without_a_single_pair_it_stops_even_if_rows_may_be_dropped(convert):
    assert convert(b"?\n", on_problem="drop").endswith("(not-json); no pair is left")


def test_the_rejects_are_there_when_it_stops(convert, tmp_path):
    convert(lines(PAIR, PAIR))
    reject = json.loads((tmp_path / "out" / "rejects.jsonl").read_text("utf-8"))
    assert (reject["file"], reject["line"], reject["code"]) == ("raw.jsonl", 2, "duplicate-id")


def test_dropped_rows_are_counted_and_the_others_go_on(convert, tmp_path):
    assert convert(lines(PAIR) + b"?\n", on_problem="drop") == [PAIR]
    quality = json.loads((tmp_path / "out" / "quality.json").read_text("utf-8"))
    assert {name: quality[name] for name in ("rows_in", "rows_used", "rows_rejected", "codes")} == {
        "rows_in": 2,
        "rows_used": 1,
        "rows_rejected": 1,
        "codes": {"not-json": 1},
    }


def test_the_terminal_shows_a_table_and_the_first_five_rejects(convert, capsys):
    convert(lines(PAIR) + b"?\n" * 9, on_problem="drop")
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "10 rows in, 1 used, 9 rejected; 1 pairs"
    assert "not-json               error            9  raw.jsonl:2" in shown
    assert sum(line.startswith("raw.jsonl:") for line in shown) == 5


@pytest.mark.parametrize(("thinking", "said"), [({}, True), ({"thinking": "Hm."}, False)])
def test_the_terminal_says_where_no_chosen_answer_thinks(convert, capsys, thinking, said):
    *asked, answer = PAIR["messages"]
    convert(lines(PAIR | {"messages": [*asked, answer | thinking]}))
    assert ("no chosen answer thinks" in capsys.readouterr().out) is said


def test_where_the_base_model_will_write_analyses_the_terminal_says_so(convert, capsys):
    convert(lines(PAIR), analyses="base")
    said = "no chosen answer thinks yet: data.analyses: base will add the base model's analyses"
    assert said in capsys.readouterr().out


def test_the_last_line_says_how_many_rows_were_dropped_and_why(convert, capsys):
    rows = [PAIR, pair("x", rejected_response=" "), pair("y", rejected_response="Save")]
    convert(b"?\n" + lines(*rows) + b"?\n", on_problem="drop")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("4 of 5 rows dropped (80.0%): 2 not-json, 1 blank-text, 1 same-answers; named in out/rejects.jsonl")


def test_where_no_row_is_dropped_nothing_is_said_of_it(convert, capsys):
    convert(lines(PAIR))
    assert "dropped" not in capsys.readouterr().out


@pytest.mark.parametrize("on_problem", ["stop", "drop"])
def test_more_than_half_of_the_pairs_in_another_language_end_it(convert, on_problem):
    rows = lines(PAIR, pair("one"), pair("two"))
    assert convert(rows, languages=ZH_EN, on_problem=on_problem) == (
        "raw.jsonl:2: 2 of 3 pairs are in other languages than data.languages says, zh to en; set data.languages to "
        "theirs, or to null (wrong-language)"
    )


def test_half_of_the_pairs_in_another_language_are_warned_of(convert):
    assert len(convert(lines(PAIR, pair("one")), languages=ZH_EN)) == 2


def test_pairs_that_are_left_out_as_repeats_count_among_those_of_all_languages(convert):
    wrong, right = [pair("one")] * 2, [pair("保存"), pair("关闭")]
    assert len(convert(lines(*wrong, *right), languages=ZH_EN, on_problem="drop")) == 3


def test_pairs_of_an_earlier_run_do_not_outlive_a_failed_one(convert):
    convert(lines(PAIR))
    assert convert(b"?\n").startswith("raw.jsonl:1: column 1: Expecting value")


def test_files_beside_the_data_are_named_in_print_and_in_the_account(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "README.md", *(f"{number}.xlsx" for number in range(7))):
        (tmp_path / "raw" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(lines(PAIR))
    main(["raw", "--out", "out", *options()])
    shown = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("not read: raw/") for line in shown) == 5
    assert "not read: 2 more files; quality.json names them in files_left" in shown
    left = json.loads((tmp_path / "out" / "quality.json").read_text("utf-8"))["files_left"]
    assert [file["file"] for file in left] == [f"raw/{number}.xlsx" for number in range(7)]


def test_what_cannot_be_listed_is_named_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^raw\*\*\.jsonl: neither a path nor a glob \(.*\); set data\.raw to one$"):
        main(["raw**.jsonl", "--out", "out", *options()])


def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^none/\*\.jsonl: no such file; name a file, a folder"):
        main(["none/*.jsonl", "--out", "out", *options()])
