"""Two versions of a result: the same, the same within a tolerance, or not the same."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.publishing.compare_results import compare_results, describes_the_run, read_tensors
from pipeline.publishing.difference import SAME_VALUES


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def compare_rows(folder: Path, name: str, one: list[dict], two: list[dict]):
    return compare_results(write_rows(folder / "1.jsonl", one), write_rows(folder / "2.jsonl", two), name)


def write_tensors(path: Path, values: np.ndarray, dtype: str = "F32") -> Path:
    data = values.astype({"F16": "<f2", "U8": "u1"}.get(dtype, "<f4")).tobytes()
    if dtype == "BF16":
        data = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    entry = {"w": {"dtype": dtype, "shape": list(values.shape), "data_offsets": [0, len(data)]}}
    header = json.dumps({"__metadata__": {"format": "pt"}} | entry).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def test_the_same_bytes_do_not_differ(tmp_path):
    assert compare_rows(tmp_path, "data/pairs.jsonl", [{"a": 1}], [{"a": 1}]) is None


def test_data_must_be_the_same(tmp_path):
    assert not compare_rows(tmp_path, "data/pairs.jsonl", [{"a": 1}], [{"a": 2}]).is_allowed


@pytest.mark.parametrize(
    ("file", "name", "value", "other", "allowed"),
    [
        ("metrics.json", "loss", 0.5, 0.59, True),
        ("metrics.json", "loss", 0.5, 0.61, False),
        ("metrics.json", "loss", 2.0, 2.19, True),  # relative above 1
        ("metrics.json", "loss", 2.0, 2.21, False),
        ("metrics.json", "loss", 0.5, "none", False),
        ("metrics.json", "rewards/accuracies", 0.8, 0.71, True),
        ("metrics.json", "rewards/accuracies", 0.8, 0.69, False),
        ("metrics.json", "rewards/margins", 0.1, 0.49, True),
        ("metrics.json", "rewards/margins", 0.1, 0.51, False),
        ("metrics.json", "logps/chosen", -200.0, -339.0, True),
        ("metrics.json", "logps/chosen", -200.0, -341.0, False),
        ("curves.jsonl", "loss", 0.5, 0.89, True),
        ("curves.jsonl", "loss", 0.5, 0.91, False),
        ("curves.jsonl", "rewards/accuracies", 0.8, 0.56, True),
        ("curves.jsonl", "rewards/accuracies", 0.8, 0.54, False),
        ("curves.jsonl", "logps/chosen", -200.0, -699.0, True),
        ("curves.jsonl", "logps/chosen", -200.0, -701.0, False),
        ("curves.jsonl", "global_step", 200, 201, False),
        ("curves.jsonl", "learning_rate", 0.001, 0.0010001, False),
        ("curves.jsonl", "grad_norm", 1.0, 9.0, True),  # is shown only
    ],
)
def test_a_figure_has_its_tolerance_and_a_single_step_a_wider_one(tmp_path, file, name, value, other, allowed):
    one, two = tmp_path / f"1-{file}", tmp_path / f"2-{file}"
    for path, figure in ((one, value), (two, other)):
        path.write_text(json.dumps({name: figure}) + "\n", encoding="utf-8")
    found = compare_results(one, two, f"dpo/{file}")
    assert found.is_allowed == allowed
    assert name in found.words


def test_of_several_figures_the_one_beyond_its_tolerance_counts(tmp_path):
    one, two = [{"grad_norm": 1.0, "loss": 0.5}], [{"grad_norm": 9.0, "loss": 1.0}]
    assert not compare_rows(tmp_path, "dpo/curves.jsonl", one, two).is_allowed


@pytest.mark.parametrize("name", ["dpo/curves.jsonl", "evaluate/pairs.jsonl", "evaluate/dpo/scores/0.jsonl"])
def test_figures_of_other_rows_are_not_the_same(tmp_path, name):
    assert not compare_rows(tmp_path, name, [{"loss": 1}], [{"loss": 1}, {"loss": 1}]).is_allowed


@pytest.mark.parametrize(
    ("name", "near", "far"),
    [
        ("dpo/curves.jsonl", True, False),
        ("dpo/training.csv", True, False),
        ("dpo/held_out.csv", True, False),
        ("dpo/metrics.json", True, False),
        ("evaluate/metrics.json", True, False),
        ("evaluate/pairs.jsonl", True, True),  # single pairs may differ by any amount
        ("evaluate/dpo/scores/0.jsonl", True, True),
        ("evaluate/neutral.jsonl", True, True),
        ("evaluate/dpo/neutral.jsonl", True, True),
        ("data/quality.json", False, False),
        ("dpo/settings.json", False, False),
        ("dpo/lora_coverage.csv", False, False),
        ("sft/curves.jsonl", True, False),
    ],
)
def test_each_result_has_the_limits_of_its_kind(tmp_path, name, near, far):
    losses = [compare_rows(tmp_path, name, [{"loss": 0.5}], [{"loss": loss}]) for loss in (0.55, 5.0)]
    assert [found.is_allowed for found in losses] == [near, far]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"loss": 1.0}, {"loss": math.nan}),
        ({"step": 1, "loss": 0.5}, {"step": 1, "loss": math.nan}),
        ({"name": "a", "loss": 0.5}, {"name": "b", "loss": 5.0}),
        ({"id": "a", "grad_norm": 1.0}, {"id": "b", "grad_norm": 1.0}),
        ({"grad_norm": 1.0}, {"grad_norm": math.nan}),
    ],
    ids=["NaN", "NaN after a figure", "a text before a figure", "a text alone", "NaN in a figure that is shown only"],
)
@pytest.mark.parametrize("name", ["dpo/curves.jsonl", "evaluate/pairs.jsonl"])
def test_neither_what_is_not_a_number_nor_another_text_is_within_any_tolerance(tmp_path, name, one, two):
    assert not compare_rows(tmp_path, name, [one], [two]).is_allowed


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16", "U8"])
def test_weights_are_shown_relative_to_their_size(tmp_path, dtype):
    one = write_tensors(tmp_path / "1.safetensors", np.array([3.0, 4.0]), dtype)
    two = write_tensors(tmp_path / "2.safetensors", np.array([3.0, 5.0]), dtype)
    found = compare_results(one, two, "merged/model.safetensors")
    assert (found.amount, found.is_allowed) == (pytest.approx(0.2), True)


def test_weights_of_another_shape_are_not_the_same(tmp_path):
    one = write_tensors(tmp_path / "1.safetensors", np.zeros(2))
    two = write_tensors(tmp_path / "2.safetensors", np.zeros(3))
    assert not compare_results(one, two, "model/model.safetensors").is_allowed


def test_other_answers_to_the_same_prompts_are_counted(tmp_path):
    rows = [{"messages": [{"role": "user", "content": "?"}], "final": answer} for answer in "ab"]
    found = compare_rows(tmp_path, "infer/predictions.jsonl", rows, [rows[0], rows[1] | {"final": "c"}])
    assert (found.words, found.is_allowed) == ("1 of 2 answers differ", True)


def test_answers_to_other_prompts_are_not_the_same(tmp_path):
    one, two = ([{"messages": [{"role": "user", "content": text}], "final": "a"}] for text in "?!")
    assert not compare_rows(tmp_path, "infer/predictions.jsonl", one, two).is_allowed


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
def test_tensors_are_read_as_they_were_written(tmp_path, dtype):
    values = [[1.5, -2.0], [0.25, 3.0]]
    path = write_tensors(tmp_path / "w.safetensors", np.array(values), dtype)
    assert read_tensors(path)["w"].tolist() == values


@pytest.mark.parametrize(
    ("text", "words", "allowed"),
    [
        ("loss 0.52 of 90 steps", "1 of 2 numbers differ", True),
        ("loss 0.5 of 90 rows", "has other words", False),
    ],
)
def test_a_model_card_may_differ_in_numbers_alone(tmp_path, text, words, allowed):
    one, two = tmp_path / "1.md", tmp_path / "2.md"
    one.write_text("loss 0.5 of 90 steps", encoding="utf-8")
    two.write_text(text, encoding="utf-8")
    found = compare_results(one, two, "model_card.md")
    assert (found.words, found.is_allowed) == (words, allowed)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("results/tiny/ro-crate-metadata.json", True),
        ("results/tiny/report.html", True),
        ("results/tiny/workflow", True),
        ("results/tiny/dpo/metrics.json", False),
        ("results/workflow/model_card.md", False),  # a run of that name
    ],
)
def test_what_describes_the_run_itself_is_known_by_its_place(path, expected):
    assert describes_the_run(path) == expected


@pytest.mark.parametrize(
    ("figures", "other", "allowed"),
    [
        ({"dpo": {"reward_accuracy": {"low": 0.0}}}, {"dpo": {"reward_accuracy": {"low": 1.0}}}, True),
        ({"by_tag": {"x": {"reward_accuracy": 0.0}}}, {"by_tag": {"x": {"reward_accuracy": 1.0}}}, True),
        ({"dpo": {"reward_accuracy": {"mean": 0.0}}}, {"dpo": {"reward_accuracy": {"mean": 1.0}}}, False),
    ],
    ids=["an end of an interval", "a figure of few pairs", "a figure of all pairs"],
)
def test_only_figures_of_all_pairs_have_a_tolerance(tmp_path, figures, other, allowed):
    paths = [tmp_path / name for name in ("1.json", "2.json")]
    for path, values in zip(paths, (figures, other), strict=True):
        path.write_text(json.dumps(values), encoding="utf-8")
    assert compare_results(*paths, "evaluate/pair_metrics.json").is_allowed == allowed


@pytest.mark.parametrize(
    ("change", "allowed"),
    [({"value": 0.6912}, True), ({"passed": False}, False), ({"gate": "other"}, False)],
    ids=["another value", "another outcome", "another gate"],
)
def test_gates_may_measure_other_values_and_must_be_the_same_and_pass(tmp_path, change, allowed):
    row = {"gate": "first_loss", "passed": True, "value": 0.6931, "expected": "0.693147"}
    paths = [tmp_path / name for name in ("1.json", "2.json")]
    for path, found in zip(paths, (row, row | change), strict=True):
        path.write_text(json.dumps([found]), encoding="utf-8")
    assert compare_results(*paths, "dpo/gates.json").is_allowed == allowed


TURN = [{"role": "user", "content": "?"}]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("dpo/curves.jsonl", {"loss": 0.5}),
        ("evaluate/pairs.jsonl", {"loss": 0.5}),
        ("infer/predictions.jsonl", {"messages": TURN, "final": "a"}),
    ],
)
def test_the_same_values_in_other_bytes_are_called_so_and_are_not_the_same(tmp_path, name, row):
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    one.write_text(json.dumps(row) + "\n", encoding="utf-8")
    two.write_text(json.dumps(row, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    assert compare_results(one, two, name) == SAME_VALUES


def test_weights_of_other_bytes_and_the_same_values_are_called_so(tmp_path):
    one = write_tensors(tmp_path / "1.safetensors", np.zeros(2))
    two = write_tensors(tmp_path / "2.safetensors", np.array([0.0, -0.0]))
    assert compare_results(one, two, "merged/model.safetensors") == SAME_VALUES


@pytest.mark.parametrize("values", [[math.nan, 1.0], [math.inf, 1.0]])
def test_a_weight_that_is_not_a_number_is_outside(tmp_path, values):
    one = write_tensors(tmp_path / "1.safetensors", np.array([1.0, 1.0]))
    two = write_tensors(tmp_path / "2.safetensors", np.array(values))
    found = compare_results(one, two, "merged/model.safetensors")
    assert (found.words, found.is_allowed) == ("has a value that is not a number in w", False)


def test_a_figure_that_is_shown_only_is_named_when_it_alone_differs(tmp_path):
    one, two = ({"step": 1, "loss": 0.5, "grad_norm": norm} for norm in (1.0, 9.0))
    found = compare_rows(tmp_path, "dpo/curves.jsonl", [one], [two])
    assert found.words == "differs by 8 in 1 grad_norm"


def test_another_text_beside_figures_of_few_pairs_is_outside(tmp_path):
    one, two = ({"by_tag": [{"name": name, "loss": 0.5}]} for name in "ab")
    assert not compare_rows(tmp_path, "dpo/curves.jsonl", [one], [two]).is_allowed


@pytest.mark.parametrize(
    ("name", "one", "two", "allowed"),
    [
        (
            "evaluate/metrics.json",
            '{"bleu": {"value": 99.0, "low": 98.1}}',
            '{"bleu": {"value": 100.0, "low": null}}',
            True,
        ),
        ("evaluate/metrics.json", '{"bleu": {"value": 99.0}}', '{"bleu": {"value": null}}', False),
        ("evaluate/metrics.json", '{"bleu": {"low": 98.1}}', '{"bleu": {"low": "NaN"}}', False),
        ("model_card.md", "| bleu | 99 [98.1, 100] |\n", "| bleu | 100 |\n", True),
        ("model_card.md", "value: 99\n    low: -9.8e-01\n    high: 1\n", "value: 100\n", True),
        ("model_card.md", "| bleu | 99 [98.1, 100] |\n", "| bleu | better |\n", False),
    ],
)
def test_a_figure_may_have_an_interval_in_one_of_two_results(tmp_path, name, one, two, allowed):
    paths = [tmp_path / f"{number}{Path(name).suffix}" for number in (1, 2)]
    for path, text in zip(paths, (one, two), strict=True):
        path.write_text(text, encoding="utf-8")
    assert compare_results(*paths, name).is_allowed == allowed
