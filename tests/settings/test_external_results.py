"""external_results.py: results of other programs are those of the run's own models."""

import pytest

from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.external_results import external_files


def settings(external: object, **sections) -> dict:
    """Return settings with results of other programs."""
    return merge(load_config([]), {"evaluate": {"external": external}, **sections})


def test_the_files_of_all_models_are_inputs():
    assert external_files(settings({"base": ["a", "b"], "dpo": ["c"]})) == ["a", "b", "c"]
    assert external_files(settings(None)) == []


@pytest.mark.parametrize("external", [None, {"base": ["a"], "dpo": ["b"]}, {"dpo": ["b"]}])
def test_files_of_the_models_of_the_run_pass(external):
    assert find_problems(settings(external)) == []


@pytest.mark.parametrize(
    ("external", "sections", "said"),
    [
        ({"base": "a"}, {}, "evaluate.external.base: 'a' is not of type 'array'"),
        ({"tuned": ["a"]}, {}, "evaluate.external: 'tuned' is not one of ['base', 'sft', 'dpo']"),
        ({"base": []}, {}, "evaluate.external.base: "),
        ({}, {}, "evaluate.external: "),
        ({"sft": ["a"]}, {}, "evaluate.external: sft.enabled is false, so the run has no model sft"),
        (
            {"dpo": ["a"]},
            {"sweep": {"grid": {"dpo.beta": [0.1, 0.2]}}},
            "evaluate.external: results of one tuned model",
        ),
    ],
)
def test_files_that_are_not_those_of_the_runs_models_are_one_line(external, sections, said):
    (problem,) = find_problems(settings(external, **sections))
    assert problem.startswith(said)
