"""settings/infer_problems.py: which settings of inference do not go together."""

import pytest

from pipeline.settings.check import find_problems, load_config, merge

GPUS = "infer.gpus: with infer.backend vllm it must be 1, 2, 4 or 8; set one of these, or transformers"
WHOLE = "sft.join: infer.backend vllm takes whole models only; set merged, or transformers"


def problems_of(gpus: int, **sections) -> list[str]:
    vllm = {"infer": {"backend": "vllm", "gpus": gpus}}
    return find_problems(merge(load_config([]), vllm | sections))


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_vllm_answers_on_gpus_that_share_the_heads_of_a_layer(gpus):
    assert problems_of(gpus) == []


@pytest.mark.parametrize("gpus", [0, 3])
def test_vllm_without_gpus_or_with_a_number_that_divides_no_heads_is_refused_in_one_line(gpus):
    assert problems_of(gpus) == [GPUS]


def test_vllm_is_given_no_model_with_an_adapter_beside_it():
    assert problems_of(1, sft={"enabled": True, "join": "stacked"}) == [WHOLE]
    assert problems_of(1, sft={"enabled": True, "join": "merged"}) == []
    assert problems_of(1, sft={"enabled": False, "join": "stacked"}) == []


@pytest.mark.parametrize(
    ("name", "value", "usual"), [("top_p", 0.9, 1), ("top_k", 5, 50), ("answers_per_prompt", 4, 1)]
)
def test_what_only_sampling_uses_is_refused_beside_temperature_0_and_taken_beside_another(name, value, usual):
    config = load_config([])
    assert find_problems(merge(config, {"infer": {name: value}})) == [
        f"infer.{name}: has no effect with infer.temperature 0, which takes the likeliest token; "
        f"set infer.{name} to {usual}, or infer.temperature above 0"
    ]
    assert find_problems(merge(config, {"infer": {name: value, "temperature": 0.5}})) == []


@pytest.mark.parametrize("value", [1.2, None])
def test_a_repetition_penalty_goes_with_temperature_0(value):
    assert find_problems(merge(load_config([]), {"infer": {"repetition_penalty": value}})) == []


@pytest.mark.parametrize(
    ("prompts", "problem"),
    [
        ({"shards": "a.jsonl"}, "infer.prompts: 'shards' does not have the form ^(?!shards$)[a-z0-9][a-z0-9_-]*$"),
        ({"My own": "a.jsonl"}, "infer.prompts: 'My own' does not have the form ^(?!shards$)[a-z0-9][a-z0-9_-]*$"),
        ({"own": "a.csv"}, r"infer.prompts.own: 'a.csv' does not have the form \.(jsonl|txt)$"),
    ],
)
def test_a_name_that_is_no_folder_and_a_file_of_another_kind_are_refused(prompts, problem):
    assert find_problems(merge(load_config([]), {"infer": {"prompts": prompts}})) == [problem]


def test_another_backend_is_named_with_those_there_are():
    problem = "infer.backend: 'sglang' is not one of ['transformers', 'vllm']; see docs/configuration.md"
    assert find_problems(merge(load_config([]), {"infer": {"backend": "sglang"}})) == [problem]


def test_a_sweep_does_not_change_what_answers():
    (problem,) = find_problems(merge(load_config([]), {"sweep": {"grid": {"infer.backend": ["transformers", "vllm"]}}}))
    assert problem.startswith("sweep: infer.backend: decides where answers are made")
