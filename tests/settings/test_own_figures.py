"""own_figures.py: a figure of the user's own has a name that no other figure has."""

import pytest

from pipeline.evaluation.row_metrics import general_metrics, translation_metrics
from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.own_figures import TAKEN, own_files


def figure(name: str, function: str = "metrics/mine.py:is_polite") -> dict:
    return {"name": name, "function": function, "better": "higher"}


def test_the_names_of_the_evaluations_own_figures_are_taken():
    assert {*general_metrics(), *translation_metrics()} < set(TAKEN)


@pytest.mark.parametrize("names", [["bleu"], ["polite", "polite"]], ids=str)
def test_a_name_that_another_figure_has_is_refused(names):
    problems = find_problems(merge(load_config([]), {"evaluate": {"own": [figure(name) for name in names]}}))
    assert problems == [f"evaluate.own: {names[0]} is the name of another figure; choose another name"]


def test_each_file_of_the_functions_is_named_once():
    own = [figure("a", "b.py:f"), figure("b", "a.py:g"), figure("c", "b.py:h"), figure("d", "pipeline/c.py:i")]
    assert own_files(own, ours=False) == ["a.py", "b.py"]
    assert own_files(own, ours=True) == ["pipeline/c.py"]
