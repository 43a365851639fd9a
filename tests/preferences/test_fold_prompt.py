"""preferences/fold_prompt.py: which prompts count as the same."""

from pipeline.preferences.fold_prompt import fold_prompt


def test_a_prompt_is_its_turns_without_system_message_answer_spacing_and_case():
    turns = [("system", "Translate."), ("user", " Straße\n1 "), ("assistant", "B"), ("user", "c"), ("assistant", "d")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert fold_prompt(messages) == [["user", "strasse1"], ["assistant", "b"], ["user", "c"]]
