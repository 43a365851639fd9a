"""preferences/translation.py: which letters a translation may hold."""

import pytest

from pipeline.preferences.checks import find_pair_faults
from pipeline.preferences.columns import Columns
from pipeline.preferences.pair import Message, Pair
from pipeline.preferences.translation import translation_checks
from pipeline.preferences.turns import ANALYSIS


@pytest.mark.parametrize(
    ("languages", "question", "chosen", "faults"),
    [
        (("zh", "en"), "保存", "Save", []),
        (("zh", "en"), "Save", "Save", [("wrong-language", 0, "no letter of the script of zh")]),
        (("zh", "en"), "保存", "保存", [("wrong-language", 1, "no letter of the script of en")]),
        (("zh", "en"), "保存", "Save 保", [("wrong-language", 1, "'保' is not of the script of en")]),
        (("zh", "en"), "1", "1", []),
        # Names and code keep Latin letters in every language.
        (("en", "zh"), "Open Word", "打开 Word", []),
        (("en", "de"), "Save", "Speichern", []),
        # Japanese is written with Chinese characters, too.
        (("zh", "ja"), "保存", "保存する", []),
        (("ja", "zh"), "保存する", "保存", []),
        (("ru", "uk"), "Да", "Так", []),
        (("ru", "ko"), "Да", "네 Да", [("wrong-language", 1, "'Д' is not of the script of ko")]),
    ],
)
def test_a_text_has_letters_of_its_language_and_an_answer_none_of_its_source(languages, question, chosen, faults):
    pair = Pair(messages=[Message("user", question), Message("assistant", chosen)], rejected_response="!")
    found = find_pair_faults(Columns([pair]), translation_checks(*languages))
    assert [(fault.code, fault.where, fault.detail) for fault in found] == faults


@pytest.mark.parametrize(
    ("chosen", "codes"),
    [
        (ANALYSIS.format("保存 3 is Save 3.", "Save 3"), []),
        (ANALYSIS.format("Save 3", "存"), ["wrong-language", "lost-number"]),
    ],
)
def test_the_translation_is_the_final_answer_and_not_the_thinking_before_it(chosen, codes):
    pair = Pair(messages=[Message("user", "保存 3"), Message("assistant", chosen)], rejected_response="!")
    assert [fault.code for fault in find_pair_faults(Columns([pair]), translation_checks("zh", "en"))] == codes


def test_the_source_is_what_the_user_says_last_and_not_the_result_of_a_tool():
    called = [Message("tool_call", "{}"), Message("tool_response", "Save")]
    turns = [Message("user", "Name it."), *called, Message("assistant", "Save")]
    (fault,) = find_pair_faults(Columns([Pair(messages=turns, rejected_response="!")]), translation_checks("zh", "en"))
    assert (fault.code, fault.where) == ("wrong-language", 0)
