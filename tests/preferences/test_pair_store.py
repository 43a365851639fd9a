"""preferences/pair_store.py: what is sent to another process reads the same files."""

import pickle
from contextlib import closing

import numpy as np

from pipeline.preferences.pair import Message, Pair, encode_lines
from pipeline.preferences.pair_store import PairStore

PAIRS = [Pair(messages=[Message("user", "?"), Message("assistant", text)], rejected_response="no") for text in "abc"]


def test_pairs_that_are_sent_to_another_process_are_read_there_by_position(tmp_path):
    lines = [encode_lines([pair]) for pair in PAIRS]
    with closing(PairStore(tmp_path)) as store:
        for part in (lines[:2], lines[2:]):
            store.append(b"".join(part), np.cumsum([len(line) for line in part]).astype(np.uint64))
        with closing(pickle.loads(pickle.dumps(store))) as sent:
            assert [sent.read(row) for row in (2, 0, 1)] == [PAIRS[2], PAIRS[0], PAIRS[1]]
