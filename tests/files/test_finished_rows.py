"""finished_rows.py: what a killed job had finished is there for the next one, and nothing else is."""

from pipeline.files.finished_rows import FinishedRows
from pipeline.files.json_lines import read_json_lines


def test_the_next_job_finds_the_rows_of_a_killed_one(tmp_path):
    FinishedRows(tmp_path / "out.jsonl", "abc").add({"b": {"n": 2}, "a": {"n": 1}})
    again = FinishedRows(tmp_path / "out.jsonl", "abc")
    assert again.rows == {"b": {"n": 2}, "a": {"n": 1}}


def test_rows_of_another_model_are_not_taken(tmp_path):
    FinishedRows(tmp_path / "out.jsonl", "abc").add({"a": {"n": 1}})
    assert "a" not in FinishedRows(tmp_path / "out.jsonl", "def")


def test_a_row_that_was_half_written_is_left_out(tmp_path):
    killed = FinishedRows(tmp_path / "out.jsonl", "abc")
    killed.add({"a": {"n": 1}, "b": {"n": 2}})
    killed.path.write_bytes(killed.path.read_bytes()[:-5])
    assert FinishedRows(tmp_path / "out.jsonl", "abc").rows == {"a": {"n": 1}}


def test_the_output_has_the_rows_that_are_published(tmp_path):
    finished = FinishedRows(tmp_path / "out.jsonl", "abc")
    finished.add({"b": {"n": 2}, "a": {"n": 1}})
    finished.publish(finished.rows[key] for key in "ab")
    assert read_json_lines(tmp_path / "out.jsonl") == [{"n": 1}, {"n": 2}]


def test_what_was_kept_goes_when_the_output_is_there(tmp_path):
    FinishedRows(tmp_path / "out.jsonl", "old").add({"a": {"n": 0}})
    finished = FinishedRows(tmp_path / "out.jsonl", "abc")
    finished.add({"a": {"n": 1}})
    finished.publish(finished.rows.values())
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
