"""preferences/checks.py at the edges of its limits."""

from collections.abc import Sequence

import pytest

from pipeline.preferences.checks import PAIR_CHECKS, find_control_token, find_pair_faults, find_text_faults
from pipeline.preferences.columns import ASSISTANT, USER, Columns
from pipeline.preferences.pair import Message, Pair, encode_lines


def pair(question: str = "?", chosen: str = "Yes", rejected: str = "No") -> Pair:
    return Pair(messages=[Message("user", question), Message("assistant", chosen)], rejected_response=rejected)


def pair_codes(pairs: Sequence[Pair]) -> list[str]:
    return [fault.code for fault in find_pair_faults(Columns(pairs), PAIR_CHECKS)]


@pytest.mark.parametrize(
    ("short", "long", "codes"),
    [
        (26, 130, []),  # 5 times as long
        (26, 131, ["length-ratio"]),
        (20, 120, []),  # 100 characters longer
        (20, 121, ["length-ratio"]),
    ],
)
@pytest.mark.parametrize("is_chosen_long", [True, False])
def test_answers_may_differ_by_five_times_or_by_a_hundred_characters(short, long, codes, is_chosen_long):
    chosen, rejected = ("a" * long, "b" * short) if is_chosen_long else ("a" * short, "b" * long)
    assert pair_codes([pair(chosen=chosen, rejected=rejected)]) == codes


@pytest.mark.parametrize(
    ("rejected", "codes"),
    [
        ("Save it", ["same-answers"]),
        (" save\nIT", ["nearly-same-answers"]),
        ("Saveit", ["nearly-same-answers"]),
        ("Save all", []),
    ],
)
def test_answers_that_differ_in_white_space_or_case_are_nearly_the_same(rejected, codes):
    assert pair_codes([pair(chosen="Save it", rejected=rejected)]) == codes


@pytest.mark.parametrize(("role", "found"), [(ASSISTANT, None), (USER, "the token <|channel|> inside a message")])
def test_only_an_answer_may_begin_with_thinking(role, found):
    thinking = "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>"
    assert find_control_token(f"{thinking}b", role) == found


def test_every_control_character_is_found_in_plain_utf8_and_no_other():
    def is_found(number: int) -> bool:
        pairs = [pair(f"a{chr(number)}b")]
        return any(fault.code == "control-character" for fault in find_text_faults(Columns(pairs), encode_lines(pairs)))

    allowed = {0x09, 0x0A, 0x0D}
    control = {*range(0x20), *range(0x7F, 0xA0)} - allowed
    assert {number for number in range(0x180) if is_found(number)} == control
