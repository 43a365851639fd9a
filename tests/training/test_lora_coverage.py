"""lora_coverage.py: which targets have a LoRA in every layer."""

import pytest

from pipeline.training.lora_coverage import find_uncovered, tabulate

BOTH = [("self_attn.q_proj", 0, 64), ("self_attn.q_proj", 1, 64)]


@pytest.mark.parametrize(("parts", "uncovered"), [(BOTH, []), (BOTH[:1], ["q_proj"]), ([], ["q_proj"])])
def test_a_target_has_to_have_a_lora_in_each_layer(parts, uncovered):
    assert find_uncovered(tabulate(parts), ["q_proj"], layers=2) == uncovered


def test_a_target_is_not_a_part_whose_last_letters_are_the_same():
    assert find_uncovered(tabulate(BOTH), ["proj"], layers=2) == ["proj"]
