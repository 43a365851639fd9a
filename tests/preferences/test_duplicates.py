"""preferences/duplicates.py: what is much like something else, on either side of each limit."""

import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.preferences.duplicates import compare_answers, find_near_prompts, prompt_text, similar, similar_answers
from pipeline.preferences.keys import SIGNATURE_BITS
from pipeline.preferences.pair import Message, Pair
from pipeline.preferences.spill import Spill

TEXT = f"{random.Random(17).getrandbits(8 * 20_000):x}"  # has no piece twice


def pair(question: str = "?", chosen: str = "Yes", rejected: str = "No") -> Pair:
    return Pair(messages=[Message("user", question), Message("assistant", chosen)], rejected_response=rejected)


@pytest.mark.parametrize(("shared", "alike"), [(800, True), (799, False)])
def test_texts_that_share_four_fifths_of_their_pieces_are_similar(shared, alike):
    assert similar(TEXT[:1007], TEXT[: shared + 7]) is alike  # 1,000 pieces of 8 bytes


# 8,192 bytes have 8,185 pieces. Texts that begin with the same 7,283 bytes share 7,276 pieces of 9,094: just above 0.8.
@pytest.mark.parametrize(("same", "alike"), [(7283, True), (7282, False)])
def test_of_long_texts_the_first_8192_bytes_are_compared(same, alike):
    assert similar(TEXT[:20_000], TEXT[:same] + TEXT[20_000:40_000]) is alike


@pytest.mark.parametrize(
    ("chosen", "rejected", "alike"),
    [(TEXT[:99], TEXT[100:199], True), (TEXT[:99], TEXT[200:299], False), (TEXT[200:299], TEXT[100:199], False)],
    ids=["both", "chosen only", "rejected only"],
)
def test_answers_are_similar_where_both_are(chosen, rejected, alike):
    assert similar_answers(pair("?", TEXT[:100], TEXT[100:200]), pair("?", chosen, rejected)) is alike


def test_every_pair_that_contradicts_another_is_named():
    # The lowest bit tells the order of the answers.
    values, rows = np.array([2, 3, 6, 7, 8, 8], np.uint64), np.array([0, 5, 1, 4, 2, 3], np.uint64)
    duplicates, contradictions = compare_answers(values, rows)
    assert duplicates.tolist() == [[3, 2]]
    assert contradictions.tolist() == [[0, 5], [5, 0], [1, 4], [4, 1]]


def test_a_prompt_is_compared_without_its_system_message_and_its_answer():
    turns = [("system", "Translate."), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    assert prompt_text(Pair(messages=[Message(*turn) for turn in turns], rejected_response="e")) == "a\nb\nc"


def spill(path: Path, *values: int) -> Spill:
    """Return a column with these values."""
    column = Spill(path)
    column.append(np.array(values, np.uint64))
    return column


@pytest.mark.parametrize(("equal", "rows"), [(6, [1]), (5, [])])
def test_prompts_are_compared_where_six_of_twelve_parts_of_their_signatures_are_equal(tmp_path, equal, rows):
    differing = sum(1 << (part * SIGNATURE_BITS) for part in range(12 - equal))
    columns = {"band": (3, 3), "prompts": (1, 2), "signatures": (0, differing)}
    band, *beside = (spill(tmp_path / name, *values) for name, values in columns.items())
    pairs = [pair(TEXT[:100]), pair(TEXT[:99])]
    found, _ = find_near_prompts(band, 0, (beside[0], beside[1]), np.zeros(2, bool), pairs.__getitem__)
    assert found.tolist() == rows
    for column in (band, *beside):
        column.close()
