"""planning/tokens.py: how near the estimate comes to what the real tokenizer counted."""

import json

import pytest

from pipeline.planning.tokens import GPT_OSS, PairTokens, cut_pair, estimate_pair
from tests.support.project import ROOT

GOLDEN = sorted((ROOT / "tests" / "golden" / "prompts").glob("*.json"))


def read_golden(path) -> tuple[PairTokens, PairTokens]:
    """Return the tokens of a golden pair as estimated and as counted."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    counted = (len(golden["prompt"]["ids"]), len(golden["chosen"]["ids"]), len(golden["rejected"]["ids"]))
    return estimate_pair(golden["pair"], GPT_OSS), PairTokens(*counted)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_pair_is_estimated_to_a_fifth(path):
    estimated, counted = read_golden(path)
    assert list(estimated) == pytest.approx(list(counted), rel=0.2)


def test_all_of_them_are_estimated_to_a_twentieth():
    found = [read_golden(path) for path in GOLDEN]
    sums = [sum(sum(pair[side]) for pair in found) for side in (0, 1)]
    assert sums[0] == pytest.approx(sums[1], rel=0.05)


def test_a_chinese_character_counts_more_than_a_latin_one():
    def ask(text: str) -> PairTokens:
        return estimate_pair({"messages": [{"content": text}, {"content": "a"}], "rejected_response": "b"}, GPT_OSS)

    assert ask("保存" * 50).prompt > ask("ab" * 50).prompt


def test_a_cut_pair_keeps_its_prompt_as_far_as_it_goes():
    assert cut_pair(PairTokens(50, 80, 120), 100) == PairTokens(50, 80, 100)
    assert cut_pair(PairTokens(50, 80, 120), 40) == PairTokens(40, 40, 40)
