"""merge_format.py: in which format the merged model is written, and what is refused."""

import pytest

from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.merge_format import keeps_format

EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]


def settings(chosen, trained):
    """Return settings with a merge.format, and a LoRA of these parameters beside that of the attention."""
    changes = {"merge": {"format": chosen}, "dpo": {"target_parameters": trained, "lora_dropout": 0}}
    return merge(load_config([]), changes)


@pytest.mark.parametrize(
    ("chosen", "trained", "kept"),
    [
        ("auto", None, True),
        ("auto", EXPERTS, False),
        ("auto", EXPERTS[1:], False),
        ("as_base", None, True),
        ("bfloat16", None, False),
        ("bfloat16", EXPERTS, False),
    ],
)
def test_the_format_of_the_base_is_kept_where_it_is_asked_for_or_no_expert_is_trained(chosen, trained, kept):
    config = settings(chosen, trained)
    assert find_problems(config) == []
    assert keeps_format(config) == kept


def test_packed_experts_that_are_trained_cannot_be_kept():
    assert find_problems(settings("as_base", EXPERTS)) == [
        "merge.format: as_base keeps the packed experts, and dpo.target_parameters trains them; to pack them again "
        "would undo that: of an update of 1 % nothing is left; set auto or bfloat16"
    ]


def test_a_point_of_a_sweep_that_trains_experts_is_refused_by_name():
    points = {"list": [{"name": "own", "dpo.target_parameters": EXPERTS}]}
    config = merge(settings("as_base", None), {"sweep": points})
    assert [problem.partition(": as_base")[0] for problem in find_problems(config)] == [
        "sweep: point own: merge.format"
    ]


def test_a_dequantised_model_that_an_sft_is_merged_into_cannot_be_packed():
    config = merge(
        settings("as_base", None),
        {"model": {"weights": "bfloat16"}, "sft": {"enabled": True, "join": "merged"}},
    )
    assert find_problems(config) == [
        "merge.format: as_base needs a packed model that the SFT is merged into, and model.weights: bfloat16 "
        "dequantises it; set as_published, sft.join: stacked, or merge.format: auto"
    ]
