"""pair_scores.py: which pairs are of one prompt."""

import json

from pipeline.evaluation.pair_scores import read_pair_scores


def test_pairs_are_of_one_prompt_if_all_their_turns_but_the_answer_are_the_same(tmp_path):
    system, one, other = ({"role": role, "content": role} for role in ("system", "user", "tool"))
    prompts = [[one], [other], [one], [system, one], [one]]
    messages = [[*prompt, {"role": "assistant", "content": str(n)}] for n, prompt in enumerate(prompts)]
    logps = {"chosen_tokens": 1, "rejected_tokens": 1, "chosen_logp": -1.0, "rejected_logp": -1.0}
    pairs = [{"id": str(n), "messages": turns} for n, turns in enumerate(messages)]
    for name, rows in (("pairs", pairs), ("scores", [{"id": pair["id"]} | logps for pair in pairs])):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = read_pair_scores({"base": [tmp_path / "scores"]}, tmp_path / "pairs", "base", 0.1)
    assert found.prompts.tolist() == [0, 1, 0, 2, 0]
