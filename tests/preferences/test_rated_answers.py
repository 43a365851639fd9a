"""rated_answers.py: a pair becomes two rows of KTO."""

import json

from pipeline.preferences.rated_answers import write_rated_answers

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


def test_each_answer_keeps_its_prompt_and_gets_a_label(tmp_path):
    (tmp_path / "train.jsonl").write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    written = write_rated_answers(tmp_path / "train.jsonl", tmp_path / "run" / "checkpoints")
    chosen, rejected = (json.loads(line) for line in written.read_text(encoding="utf-8").splitlines())
    assert chosen == {"messages": PAIR["messages"], "label": True}
    assert rejected["messages"] == [*PAIR["messages"][:3], {"role": "assistant", "content": "Shut"}]
    assert rejected["label"] is False
