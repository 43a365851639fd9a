"""convert_preferences.py: what passes, what is refused, and how it says so."""

import json

import pytest
from convert_preferences import main

PAIR = {
    "id": "a",
    "tag": "tone",
    "messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": "Save"}],
    "rejected_response": "Please save!",
}


def turns(*roles):
    return {"id": "b", "messages": [{"role": r, "content": "x"} for r in roles], "rejected_response": "y"}


@pytest.fixture
def convert(tmp_path):
    """Run the script on some bytes; return its message, or the pairs where it wrote them."""

    def run(raw: bytes):
        source, pairs = tmp_path / "raw.jsonl", tmp_path / "pairs.jsonl"
        source.write_bytes(raw)
        try:
            main([str(source), "--pairs", str(pairs)])
        except SystemExit as stop:
            assert [file.name for file in tmp_path.iterdir()] == ["raw.jsonl"], "something half-written"
            return str(stop).replace(f"{tmp_path}/", "")
        return [json.loads(line) for line in pairs.read_text(encoding="utf-8").splitlines()]

    return run


def lines(*rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_a_good_row_is_kept_as_it_is(convert):
    assert convert(lines(PAIR)) == [PAIR]


def test_an_array_printed_over_many_lines_is_read_too(convert):
    assert convert(json.dumps([PAIR], indent=2).encode()) == [PAIR]


def test_a_byte_order_mark_and_blank_lines_do_no_harm(convert):
    assert convert(b"\xef\xbb\xbf" + lines(PAIR) + b"\n\n") == [PAIR]


def test_a_row_without_an_id_is_called_by_its_number(convert):
    row = {key: PAIR[key] for key in ("messages", "rejected_response")}
    assert [pair["id"] for pair in convert(lines(row, row))] == ["row-1", "row-2"]


def test_keys_that_training_does_not_read_are_left_behind(convert):
    assert convert(lines(PAIR | {"source": "manual"})) == [PAIR]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (lines(PAIR) + b'{"messages": [\n', "raw.jsonl:2: column 15: not JSON: Expecting value"),
        (b'[{"messages": []},\n}', "raw.jsonl:2: column 1: not JSON: Expecting value"),
        (lines(PAIR) + b"\xff\n", "raw.jsonl:2: not UTF-8; save the file as UTF-8"),
        (
            lines(PAIR) + b'{"messages": "\\ud800"}',
            "raw.jsonl:2: half a surrogate pair (\\ud800 to \\udfff); write the character itself",
        ),
        (lines(PAIR) + b"[" * 100_000, "raw.jsonl:2: nested too deeply to be a pair"),
        (b"", "raw.jsonl: no rows; expected JSON Lines or a JSON array of pairs"),
        (b"[]", "raw.jsonl: no rows; expected JSON Lines or a JSON array of pairs"),
        (b"3\n", "raw.jsonl:1: $: 3 is not of type 'object'"),
        (lines({"messages": PAIR["messages"]}), "raw.jsonl:1: $: 'rejected_response' is a required property"),
        (lines(PAIR | {"rejected_response": None}), "raw.jsonl:1: $.rejected_response: None is not of type 'string'"),
        (
            lines(PAIR | {"rejected_response": " "}),
            "raw.jsonl:1: $.rejected_response: empty; write the text or remove the row",
        ),
        (
            lines(turns("user", "user", "assistant")),
            "raw.jsonl:1: $.messages: roles are user, user, assistant; "
            "user and assistant must take turns, an assistant last",
        ),
        (
            lines(turns("user", "assistant", "user")),
            "raw.jsonl:1: $.messages: roles are user, assistant, user; "
            "user and assistant must take turns, an assistant last",
        ),
        (
            lines(PAIR | {"rejected_response": "Save"}),
            "raw.jsonl:1: $.rejected_response: the same as the chosen answer, so there is nothing to prefer",
        ),
        (lines(PAIR, PAIR), "raw.jsonl:2: $.id: 'a' is the id of raw.jsonl:1 too"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(convert, raw, message):
    assert convert(raw) == message


def test_after_twenty_problems_the_rest_is_counted(convert):
    message = convert(b"?\n" * 30)
    assert len(message.splitlines()) == 21
    assert message.endswith("raw.jsonl: 30 problems in all")
