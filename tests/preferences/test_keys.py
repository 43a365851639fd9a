"""preferences/keys.py: what counts as the same prompt."""

import numpy as np

from pipeline.preferences.columns import Columns
from pipeline.preferences.keys import mix, prompt_keys, text_keys
from pipeline.preferences.pair import Message, Pair


def conversation(*questions: str) -> Pair:
    """Return a pair in which each question gets the same answer."""
    messages = [Message(*turn) for question in questions for turn in (("user", question), ("assistant", "Yes"))]
    return Pair(messages=messages, rejected_response="No")


def test_the_same_turns_in_another_order_are_another_prompt():
    columns = Columns([conversation("a", "b", "?"), conversation("b", "a", "?"), conversation("a", "b", "?")])
    one, turned, again = prompt_keys(columns, text_keys(columns.texts)).tolist()
    assert one == again != turned


def test_no_two_keys_are_scrambled_into_one():
    keys = np.arange(10_000, dtype=np.uint64)
    assert len(np.unique(mix(keys))) == len(keys)
