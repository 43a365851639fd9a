"""external.py: results of lm-evaluation-harness and EvalScope, in their real shapes, as figures of metrics.json."""

import json
from pathlib import Path

import pytest

from pipeline.evaluation.external import read_external
from pipeline.report.figure_rows import compare_models
from scripts.gather_metrics import main
from tests.support.project import ROOT

GOLDEN = ROOT / "tests" / "golden" / "external"
FILES = {
    model: [GOLDEN / f"{program}.{model}.json" for program in ("lm-eval", "evalscope")] for model in ("base", "dpo")
}


def read(folder: Path, *files: object) -> dict:
    """Write the results of a model as files, and read them."""
    paths = [folder / f"{number}.json" for number, _ in enumerate(files)]
    for path, value in zip(paths, files, strict=True):
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return read_external({"base": paths})["external"]["base"]


def refusal(folder: Path, *files: object) -> str:
    """Return the one line with which the reading of files stops."""
    with pytest.raises(SystemExit) as stopped:
        read(folder, *files)
    assert "\n" not in str(stopped.value)
    return str(stopped.value)


def test_every_metric_of_both_programs_is_a_figure_under_its_task():
    assert {name: figure["value"] for name, figure in read_external(FILES)["external"]["base"].items()} == {
        "arc_easy: acc": 0.71,
        "arc_easy: acc_norm": 0.69,
        "gsm8k: exact_match (strict-match)": 0.62,
        "gsm8k: exact_match (flexible-extract)": 0.63,
        "mmlu: acc": 0.58,
        "wikitext: word_perplexity": 14.2,
        "math_500: mean_acc": 0.55,
    }


def test_a_figure_has_its_standard_error_its_interval_its_number_of_samples_and_its_file():
    figure = read_external(FILES)["external"]["base"]["gsm8k: exact_match (strict-match)"]
    assert figure == {
        **{"value": 0.62, "n": 200, "low": 0.596676, "high": 0.643324, "stderr": 0.0119},
        **{"better": "higher", "file": str(GOLDEN / "lm-eval.base.json")},
    }


@pytest.mark.parametrize("name", ["wikitext: word_perplexity", "math_500: mean_acc"])
def test_a_figure_without_a_standard_error_has_no_interval(name):
    figure = read_external(FILES)["external"]["base"][name]
    assert (figure["low"], figure["high"], figure["stderr"]) == (None, None, None)


def test_a_difference_has_both_standard_errors():
    found = read_external(FILES)["comparisons"]["dpo-base"]
    assert (found["arc_easy: acc"]["value"], found["arc_easy: acc"]["stderr"]) == (-0.02, 0.013294)
    assert (found["math_500: mean_acc"]["value"], found["math_500: mean_acc"]["low"]) == (-0.05, None)


def test_results_that_one_model_alone_has_are_not_compared():
    found = read_external({"base": FILES["base"], "dpo": FILES["dpo"][1:]})
    assert list(found["comparisons"]["dpo-base"]) == ["math_500: mean_acc"]


def test_a_metric_that_is_no_number_is_left_out(tmp_path):
    found = read(tmp_path, '{"results": {"t": {"acc,none": NaN, "f1,none": 0.5, "alias": "t", "sample_len": 3}}}')
    assert list(found) == ["t: f1"]


@pytest.mark.parametrize(
    "beside",
    [
        {"n-samples": None, "higher_is_better": None},
        {"n-samples": {"t": None}, "higher_is_better": {"t": None}},
        {"n-samples": {"t": {"effective": "all"}}, "higher_is_better": []},
    ],
    ids=["null", "null of the task", "other kinds"],
)
def test_what_is_not_known_of_a_figure_leaves_the_figure(tmp_path, beside):
    figure = read(tmp_path, {"results": {"t": {"acc,none": 0.5}}} | beside)["t: acc"]
    assert (figure["value"], figure["n"], figure["better"]) == (0.5, None, None)


def test_a_result_of_evalscope_without_a_number_of_samples_is_read(tmp_path):
    figure = read(tmp_path, {"dataset_name": "d", "metrics": [{"name": "acc", "score": 0.5}]})["d: acc"]
    assert (figure["value"], figure["n"]) == (0.5, None)


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", "3", "null", "{}", "[" * 100_000),
        {"results": {}},
        {"results": {"t": 3}},
        {"results": {"t": {"acc": 1}}},
        {"metrics": [{"name": "acc"}]},
    ],
    ids=lambda content: json.dumps(content)[:40],
)
def test_a_file_of_another_kind_is_named(tmp_path, content):
    said = refusal(tmp_path, content)
    assert "0.json: no results of lm-evaluation-harness (results_*.json) or EvalScope" in said


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(
        SystemExit, match=r"none\.json: No such file or directory; name the results in evaluate\.external"
    ):
        read_external({"base": [tmp_path / "none.json"]})


def test_a_result_that_two_files_of_a_model_hold_is_named(tmp_path):
    one = {"results": {"t": {"acc,none": 0.5}}}
    assert "1.json: t: acc is also in another file of this model" in refusal(tmp_path, one, one)


def test_figures_stand_beside_those_of_the_run_in_the_order_of_its_models(tmp_path):
    (tmp_path / "answers.json").write_text('{"models": ["base", "dpo"], "comparisons": {"dpo-base": {"bleu": 1}}}')
    external = {model: list(map(str, FILES[model])) for model in ("dpo", "base")}
    settings = json.dumps({"evaluate": {"external": external}})
    main([str(tmp_path / "answers.json"), "--settings", settings, "--out", str(tmp_path)])
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert list(metrics["external"]) == metrics["models"] == ["base", "dpo"]
    assert {"bleu", "arc_easy: acc"} <= set(metrics["comparisons"]["dpo-base"])


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("mmlu: acc", "worse"), ("gsm8k: exact_match (strict-match)", "unclear"), ("math_500: mean_acc", "unclear")],
)
def test_the_report_says_what_a_difference_means(name, meaning):
    rows = compare_models({"models": ["base", "dpo"], **read_external(FILES)}, "external")
    (row,) = [row for row in rows if row["name"] == name]
    assert row["changes"]["dpo-base"]["meaning"] == meaning
