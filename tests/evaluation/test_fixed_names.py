"""The files that a script writes into --out have the names that its rule declares."""

import re

import pytest

from scripts import (
    evaluate_answers,
    evaluate_neutral,
    evaluate_pairs,
    gather_metrics,
    gather_predictions,
    judge_answers,
    merge_adapter,
    score_comet,
)
from tests.support.project import ROOT

NAMES = {
    "merge": {"merge_adapter": (merge_adapter.MERGED, merge_adapter.MANIFEST, merge_adapter.GATES)},
    "infer": {"gather_predictions": (gather_predictions.PREDICTIONS, gather_predictions.GATES)},
    "evaluate": {
        "evaluate_answers": (evaluate_answers.METRICS, evaluate_answers.ROWS, evaluate_answers.GATES),
        "evaluate_neutral": (evaluate_neutral.METRICS, evaluate_neutral.ROWS, evaluate_neutral.GATES),
        "evaluate_pairs": (evaluate_pairs.METRICS, evaluate_pairs.ROWS),
        "gather_metrics": (gather_metrics.METRICS,),
        "judge_answers": (judge_answers.JUDGEMENTS,),
        "score_comet": (score_comet.SCORES,),
    },
}
RULES = [(file, rule, names) for file, rules in NAMES.items() for rule, names in rules.items()]


@pytest.mark.parametrize(("file", "rule", "names"), RULES)
def test_a_rule_declares_what_its_script_writes(file, rule, names):
    text = (ROOT / "rules" / f"{file}.smk").read_text(encoding="utf-8")
    declared = re.search(rf"rule {rule}:\n.*? output:\n(.*?) benchmark:\n", text, re.DOTALL)
    assert declared
    paths = [path for path in re.findall(r'"(results/[^"]+)"', declared[1]) if "/logs/" not in path]
    (folder,) = {path.removesuffix(name) for path, name in zip(paths, names, strict=True)}
    assert folder.endswith("/")
