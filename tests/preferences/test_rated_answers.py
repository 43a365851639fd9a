"""rated_answers.py: a pair becomes two rows of KTO."""

from pipeline.preferences.rated_answers import rated_answers

PAIR = {
    "id": "a",
    "messages": [
        {"role": "user", "content": "保存"},
        {"role": "assistant", "content": "Save"},
        {"role": "user", "content": "关闭"},
        {"role": "assistant", "content": "Close"},
    ],
    "rejected_response": "Shut",
}


def test_each_answer_keeps_its_prompt_and_gets_a_label():
    chosen, rejected = rated_answers(PAIR)
    assert chosen == {"messages": PAIR["messages"], "label": True}
    assert rejected["messages"] == [*PAIR["messages"][:3], {"role": "assistant", "content": "Shut"}]
    assert rejected["label"] is False
