"""preferences/ledger.py: the account of a conversion adds up, and says what the whole set is like."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import Options, convert_chunk
from pipeline.preferences.ledger import Ledger
from pipeline.preferences.read_files import RawFile
from pipeline.preferences.workers import Workers

ROW = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}], "rejected_response": "b"}


@pytest.fixture
def ledger(tmp_path) -> Iterator[Ledger]:
    """Return the ledger of one file."""
    with closing(Ledger(tmp_path, [RawFile(Path("raw.jsonl"), 0, "swift")])) as opened:
        yield opened


def test_a_row_that_is_neither_a_pair_nor_rejected_stops_the_conversion(ledger, tmp_path):
    chunk = Chunk("raw.jsonl", "swift", json.dumps(ROW).encode(), 1)
    ledger.add(chunk, replace(convert_chunk(chunk, Options()), rows_in=2))
    with closing(Workers(tmp_path, 1)) as workers, pytest.raises(RuntimeError, match="rows were lost"):
        ledger.write(tmp_path, workers)


@pytest.mark.parametrize(
    ("chosen_longer", "rejected_longer", "said"),
    [
        (70, 30, []),
        (71, 29, ["chosen is longer in 71%"]),
        (30, 70, []),
        (29, 71, ["chosen is shorter in 71%"]),
        (80, 19, []),  # 99 pairs say nothing of a set
        (80, 20, ["chosen is longer in 80%"]),
    ],
)
def test_a_hundred_pairs_are_biased_where_more_than_seven_tenths_prefer_one_length(
    ledger, chosen_longer, rejected_longer, said
):
    ledger.counts.chosen_longer, ledger.counts.rejected_longer = chosen_longer, rejected_longer
    ledger.warn_of_bias()
    assert ledger.counts.examples.get("length-bias", []) == said
