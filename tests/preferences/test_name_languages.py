"""name_languages.py: the languages of pairs whose prompts ask for a translation."""

import pytest

from pipeline.preferences.name_languages import find_languages


def pair(*said: str) -> dict:
    roles = ("system", "user") if len(said) == 2 else ("user",)
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    return {"messages": [*messages, {"role": "assistant", "content": "from German to French"}]}


ASKED = pair("Translate from Chinese into English.", "保存")


@pytest.mark.parametrize(
    ("said", "languages"),
    [
        (["You translate.\nTranslate the text from Chinese into English.", "保存"], ("zh", "en")),
        (["Please translate this German to French: Guten Tag"], ("de", "fr")),
        (["TRANSLATE FROM ENGLISH TO JAPANESE", "Save"], ("en", "ja")),
        (["What does it take to go from English to Chinese food?"], None),
        (["Translate this into English.", "保存"], None),
    ],
)
def test_languages_are_those_that_a_prompt_names(said, languages):
    assert find_languages([pair(*said)]) == (languages and dict(zip(("source", "target"), languages, strict=True)))


@pytest.mark.parametrize(
    ("others", "is_found"),
    [
        ([], True),
        ([pair("保存")], True),
        ([pair("保存"), pair("打开")], False),
        ([pair("Translate from German to English: Guten Tag")], False),
    ],
    ids=["all name them", "more than half name them", "half name them", "one names others"],
)
def test_pairs_are_translations_where_most_prompts_say_so_and_none_names_other_languages(others, is_found):
    assert (find_languages([ASKED, ASKED, *others]) is not None) == is_found
