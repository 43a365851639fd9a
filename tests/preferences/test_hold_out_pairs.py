"""hold_out_pairs.py: pairs of one's own are held out, and none of their prompts is trained on."""

import json

import pytest

from pipeline.files.json_lines import read_json_lines, write_json_lines
from scripts.hold_out_pairs import judge_counts, main
from tests.support.conversion import convert


def pair(name: str, question: str, system: str | None = None) -> dict:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "x"}]
    first = [{"role": "system", "content": system}] if system else []
    return {"id": name, "messages": first + messages, "rejected_response": "y"}


OTHER, SHARED = pair("row-1", "Open"), pair("row-2", "Save  THIS")
OWN = [pair("v1", "save this", "Translate."), pair("v2", "close")]
ACCOUNT = {"rows_in": 3, "rows_used": 2, "rows_rejected": 1, "pairs": 2}


@pytest.fixture
def hold_out(tmp_path):
    """Return a function that runs the script on pairs, with accounts of the conversions, and returns both sides."""

    def run(pairs: list[dict], overlap: str = "stop", own_pairs: int = 2):
        words = [
            "--settings",
            json.dumps({"data": {"val_overlap": overlap}}),
            "--out",
            str(tmp_path / "out"),
            "--quality",
        ]
        for name, rows, count in (("pairs", pairs, len(pairs)), ("own", OWN, own_pairs)):
            write_json_lines(tmp_path / f"{name}.jsonl", rows)
            (tmp_path / f"{name}.json").write_text(json.dumps(ACCOUNT | {"pairs": count}), encoding="utf-8")
            words.append(str(tmp_path / f"{name}.json"))
        main([str(tmp_path / "pairs.jsonl"), str(tmp_path / "own.jsonl"), *words])
        return [read_json_lines(tmp_path / "out" / side) for side in ("train.jsonl", "val.jsonl")]

    return run


@pytest.mark.parametrize("overlap", ["stop", "drop"])
def test_pairs_that_share_no_prompt_are_all_used(hold_out, overlap, tmp_path):
    pairs = [OTHER, pair("row-2", "Delete")]
    assert hold_out(pairs, overlap) == [pairs, OWN]
    assert (tmp_path / "out" / "val_overlap.jsonl").read_text(encoding="utf-8") == ""


def test_a_prompt_that_is_held_out_up_to_system_message_spacing_and_case_stops_it_in_one_line(hold_out, tmp_path):
    said = (
        rf"^{tmp_path}/pairs.jsonl:2: its prompt is that of the held-out pair {tmp_path}/own.jsonl:1; "
        r"take it out of data.raw or data.val, or train without such pairs: data.val_overlap: drop$"
    )
    with pytest.raises(SystemExit, match=said):
        hold_out([OTHER, SHARED])
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["val_overlap.jsonl"]


def test_with_the_places_of_a_conversion_the_raw_files_are_named(tmp_path):
    for name, question in (("raw", "Save  THIS"), ("val", "save this")):
        write_json_lines(
            tmp_path / f"{name}.jsonl", [pair("a", "Open" * (name == "raw") or "Close"), pair("b", question)]
        )
        assert convert(tmp_path / f"{name}.jsonl", tmp_path / name) is None
    files = {kind: [str(tmp_path / name / f"{kind}.jsonl") for name in ("raw", "val")] for kind in ("pairs", "places")}
    words = ["--settings", json.dumps({"data": {"val_overlap": "stop"}}), "--places", *files["places"]]
    with pytest.raises(SystemExit, match=r"/raw.jsonl:2: its prompt is that of the held-out pair .*/val.jsonl:2; "):
        main([*files["pairs"], *words, "--out", str(tmp_path / "out")])


def test_of_several_the_number_is_said_and_where_they_are_named(hold_out):
    with pytest.raises(SystemExit, match=r"own.jsonl:1 \(1 more in .*/val_overlap.jsonl\); take"):
        hold_out([OTHER, SHARED, SHARED])


def test_with_drop_such_pairs_are_left_out_of_the_training_and_named(hold_out, tmp_path):
    assert hold_out([OTHER, SHARED], "drop") == [[OTHER], OWN]
    named = read_json_lines(tmp_path / "out" / "val_overlap.jsonl")
    at = {"at": f"{tmp_path}/pairs.jsonl:2", "held_out_at": f"{tmp_path}/own.jsonl:1"}
    assert named == [{"pair": 2, "id": "row-2", "held_out": "v1"} | at]
    gates = json.loads((tmp_path / "out" / "gates.json").read_text(encoding="utf-8"))
    assert [row["gate"] for row in gates if row["passed"]] == ["rows_in", "val_rows_in", "pairs_split", "val_pairs"]


def test_nothing_left_to_train_on_is_refused_and_nothing_is_written(hold_out, tmp_path):
    with pytest.raises(SystemExit, match=r"no pair is left for training, as data.val holds all its prompts"):
        hold_out([SHARED], "drop")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["val_overlap.jsonl"]


def test_an_account_of_other_pairs_stops_it_before_a_side_is_written(hold_out, tmp_path):
    with pytest.raises(SystemExit, match="val_pairs"):
        hold_out([OTHER, SHARED], "drop", own_pairs=3)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"val_overlap.jsonl", "gates.json"}


@pytest.mark.parametrize(
    ("counts", "dropped", "changes", "failed"),
    [
        ([5, 2], 1, {}, set()),
        ([5, 2], 0, {}, {"pairs_split"}),
        ([5, 3], 1, {}, {"val_pairs"}),
        ([5, 2], 1, {"rows_rejected": 2}, {"rows_in"}),
    ],
)
def test_a_row_lost_or_counted_twice_fails_its_gate(counts, dropped, changes, failed):
    raw = {"rows_in": 7, "rows_used": 6, "rows_rejected": 1, "pairs": 6} | changes
    val = {"rows_in": 2, "rows_used": 2, "rows_rejected": 0, "pairs": 2}
    assert {row["gate"] for row in judge_counts(counts, dropped, [raw, val]) if not row["passed"]} == failed
