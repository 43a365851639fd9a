"""shards.py: rows that are dealt to shards and joined again are complete and in order."""

from pathlib import Path

import pytest

from pipeline.evaluation.shards import gates_beside, join_shards, read_shard, take_shard


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 11])
def test_shards_that_are_joined_are_the_rows_in_order(shards):
    rows = list(range(11))
    assert join_shards([take_shard(rows, shard, shards) for shard in range(shards)]) == rows


def test_shards_differ_by_one_row_at_most():
    assert [len(take_shard(range(11), shard, 4)) for shard in range(4)] == [3, 3, 3, 2]


def test_a_shard_without_rows_is_one_line(tmp_path):
    (tmp_path / "val.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"val.jsonl: no pair left for shard 1 of 2; lower infer.shards$"):
        read_shard(tmp_path / "val.jsonl", 1, 2)


def test_the_gates_of_a_shard_lie_beside_its_answers():
    assert gates_beside(Path("infer/answers/0.jsonl")) == Path("infer/answers/0.gates.json")
