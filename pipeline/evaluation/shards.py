"""Deal rows to shards in turn, and join them again. Shard 1 of 3 has rows 1, 4, 7 and so on."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipeline.files.json_lines import read_json_lines

Row = TypeVar("Row")
NOTED = ("finish", "analysis_tokens", "final_tokens")  # of an answer, by plugins/note_answer_ends.py


def take_shard(rows: Sequence[Row], shard: int, shards: int) -> Sequence[Row]:
    """Return the rows of one shard."""
    return rows[shard::shards]


def join_shards(shards: Sequence[Sequence[Row]]) -> list[Row]:
    """Return the rows of all shards in the order in which they were dealt."""
    return [shards[i % len(shards)][i // len(shards)] for i in range(sum(map(len, shards)))]


def read_shard(path: Path, shard: int, shards: int) -> list[dict[str, Any]]:
    """Return the pairs of one shard of a file; stop with one line if there is none."""
    rows = take_shard(read_json_lines(path), shard, shards)
    if not rows:
        sys.exit(f"{path}: no pair left for shard {shard} of {shards}; lower infer.shards")
    return list(rows)


def read_answers(path: Path, prompts: int, each: int) -> list[list[dict[str, Any]]]:
    """Return the answers of a shard by prompt; stop with one line if any is missing."""
    rows = read_json_lines(path)
    if len(rows) != prompts * each:
        asked = f"{prompts} prompts" if each == 1 else f"{prompts} prompts x {each}"
        sys.exit(f"{path}: {len(rows)} answers for {asked}; delete it and run again")
    if any(key not in row for row in rows for key in NOTED):
        sys.exit(f"{path}: an older release wrote these answers, and not how they ended; delete it and run again")
    return [rows[start : start + each] for start in range(0, len(rows), each)]


def gather_answers(shards: Sequence[Path], prompts: int, each: int) -> list[list[dict[str, Any]]]:
    """Return the answers to each prompt from the files of all shards; stop with one line if any is missing."""
    counts = [len(take_shard(range(prompts), shard, len(shards))) for shard in range(len(shards))]
    return join_shards([read_answers(path, count, each) for path, count in zip(shards, counts, strict=True)])


def gates_beside(answers: Path) -> Path:
    """Return the path of the gates of a shard's answers."""
    return answers.with_suffix(".gates.json")
