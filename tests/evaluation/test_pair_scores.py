"""pair_scores.py: which pairs are of one prompt."""

import json

import pytest

from pipeline.evaluation.pair_scores import read_pair_scores

SYSTEM, ONE, OTHER = ({"role": role, "content": role} for role in ("system", "user", "tool"))
TOOLS = [{"type": "function", "function": {"name": "f"}}]
EFFORT = {"reasoning_effort": "low"}


@pytest.mark.parametrize(
    ("prompts", "numbers"),
    [
        ([{"messages": turns} for turns in ([ONE], [OTHER], [ONE], [SYSTEM, ONE], [ONE])], [0, 1, 0, 2, 0]),
        ([{}, {"tools": TOOLS}, {"chat_template_kwargs": EFFORT}, {"tools": TOOLS}], [0, 1, 2, 1]),
    ],
    ids=["turns", "tools and effort"],
)
def test_pairs_are_of_one_prompt_if_all_but_the_answer_is_the_same(prompts, numbers, tmp_path):
    logps = {"chosen_tokens": 1, "rejected_tokens": 1, "chosen_logp": -1.0, "rejected_logp": -1.0}
    pairs = [
        {"id": str(n)}
        | prompt
        | {"messages": [*prompt.get("messages", [ONE]), {"role": "assistant", "content": str(n)}]}
        for n, prompt in enumerate(prompts)
    ]
    for name, rows in (("pairs", pairs), ("scores", [{"id": pair["id"]} | logps for pair in pairs])):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = read_pair_scores({"base": [tmp_path / "scores"]}, tmp_path / "pairs", "base", 0.1)
    assert found.prompts.tolist() == numbers


def test_scores_of_an_older_release_are_refused_in_one_line(tmp_path):
    pair = {"id": "a", "messages": [ONE, {"role": "assistant", "content": "x"}]}
    (tmp_path / "pairs").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    (tmp_path / "scores").write_text('{"id": "a", "chosen_logp": -1.0, "rejected_logp": -2.0}\n', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"scores:1: no chosen_tokens: an older release wrote these scores; delete it"):
        read_pair_scores({"base": [tmp_path / "scores"]}, tmp_path / "pairs", "base", 0.1)
