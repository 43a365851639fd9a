"""settings/sweep.py: which runs a sweep has, under which settings, and what cannot be swept."""

import pytest

from pipeline.settings.check import check_config, find_problems, load_config, merge
from pipeline.settings.sweep import Point, list_points, settings_by_run


def settings(**sections) -> dict:
    return merge(load_config([]), sections)


def points(**sweep) -> list[Point]:
    config = settings(sweep=sweep)
    assert find_problems(config) == []
    return list_points(config)


def problems(**sweep) -> list[str]:
    return find_problems(settings(sweep=sweep))


def test_without_a_sweep_there_is_the_run_itself_under_its_own_settings():
    config = settings()
    (point,) = list_points(config)
    assert (point.run, point.training) == ("tiny", "tiny")
    assert settings_by_run(config, [point]) == {"tiny": config}


def test_a_grid_has_a_point_for_each_combination():
    assert [point.run for point in points(grid={"dpo.learning_rate": [3.0e-4, 0.001], "dpo.beta": [0.05, 0.2]})] == [
        "tiny-beta=0.05-learning_rate=0.0003",
        "tiny-beta=0.2-learning_rate=0.0003",
        "tiny-beta=0.05-learning_rate=0.001",
        "tiny-beta=0.2-learning_rate=0.001",
    ]


def test_the_order_of_the_settings_in_a_grid_changes_no_name():
    values = {"dpo.beta": [0.05, 0.2], "dpo.seed": [1, 2]}
    names = [{point.name for point in points(grid=dict(order))} for order in (values.items(), reversed(values.items()))]
    assert names[0] == names[1]


def test_a_point_of_a_list_is_named_by_its_name_or_by_its_values():
    listed = points(list=[{"name": "plain"}, {"name": "sharp", "dpo.beta": 0.5}, {"dpo.target_modules": ["q", "v"]}])
    assert [point.name for point in listed] == ["plain", "sharp", "target_modules=q_v"]


def test_values_are_named_as_yaml_has_them():
    listed = points(list=[{"dpo.rpo_alpha": 1}, {"dpo.use_rslora": True}, {"dpo.ld_alpha": 0.5, "dpo.bf16": None}])
    assert [point.name for point in listed] == ["rpo_alpha=1", "use_rslora=true", "bf16=null-ld_alpha=0.5"]


def test_a_setting_that_both_sections_have_is_named_with_its_section():
    grid = {"dpo.torch_dtype": ["float32"], "infer.torch_dtype": ["bfloat16"]}
    assert points(grid=grid)[0].name == "dpo.torch_dtype=float32-infer.torch_dtype=bfloat16"


def test_a_run_has_the_settings_of_its_point_and_the_shared_ones_otherwise():
    config = settings(sweep={"grid": {"dpo.beta": [0.05, 0.2]}})
    runs = settings_by_run(config, list_points(config))
    assert {run: values["dpo"]["beta"] for run, values in runs.items()} == {
        "tiny-beta=0.05": 0.05,
        "tiny-beta=0.2": 0.2,
        "tiny": 0.1,
    }
    assert runs["tiny-beta=0.2"]["dpo"] | {"beta": 0.1} == config["dpo"]


def test_points_that_differ_in_their_answers_alone_share_a_training():
    found = points(grid={"dpo.beta": [0.05, 0.2], "infer.temperature": [0, 1]})
    assert [point.training for point in found] == ["tiny-beta=0.05"] * 2 + ["tiny-beta=0.2"] * 2
    assert len({point.run for point in found}) == 4


def test_a_training_lies_in_the_run_of_the_point_that_has_nothing_else():
    listed = points(list=[{"dpo.beta": 0.5, "infer.temperature": 1}, {"name": "sharp", "dpo.beta": 0.5}])
    assert [point.training for point in listed] == ["tiny-sharp", "tiny-sharp"]


def test_a_sweep_of_answers_is_trained_in_the_shared_run():
    assert [point.training for point in points(grid={"infer.temperature": [0, 1]})] == ["tiny", "tiny"]


def test_each_point_has_the_values_of_all_swept_settings():
    listed = points(list=[{"dpo.beta": 0.2}, {"dpo.seed": 1}])
    assert [point.values for point in listed] == [
        {"dpo.beta": 0.2, "dpo.seed": 42},
        {"dpo.beta": 0.1, "dpo.seed": 1},
    ]


@pytest.mark.parametrize(
    ("sweep", "problem"),
    [
        ({}, "sweep: needs exactly one of grid, list"),
        ({"grid": {"dpo.beta": [1]}, "list": [{"dpo.beta": 1}]}, "sweep: needs exactly one of grid, list"),
        ({"gird": {"dpo.beta": [1]}}, "sweep.gird: unknown setting; did you mean sweep.grid?"),
        ({"grid": {"dpo.beta": 1}}, "sweep.grid.dpo.beta: 1 is not of type 'array'; see docs/configuration.md"),
        ({"list": [{}]}, "sweep.list.0: {} should be non-empty; see docs/configuration.md"),
        (
            {"list": [{"name": "a=b"}]},
            "sweep.list.0.name: 'a=b' does not have the form ^[A-Za-z0-9][A-Za-z0-9._-]*$",
        ),
        (
            {"grid": {"data.split_seed": [1]}},
            "sweep: data.split_seed: points differ in settings of dpo and infer, no others; "
            "write an overlay for each value",
        ),
        (
            {"grid": {"dpo": [{"beta": 1}]}},
            "sweep: dpo: points differ in settings of dpo and infer, no others; write an overlay for each value",
        ),
        (
            {"list": [{"dpo.max_length": 256}]},
            "sweep: dpo.max_length: decides which pairs are trained, and all points share those; "
            "write an overlay for each value",
        ),
        (
            {"list": [{"infer.shards": 2}]},
            "sweep: infer.shards: decides where answers are made, not which; set it for all points, outside the sweep",
        ),
        (
            {"grid": {"dpo.bta": [1, 2]}},
            "sweep: point bta=1: dpo.bta: unknown setting; did you mean dpo.beta?",
        ),
        (
            {"grid": {"dpo.seed": [1, 2], "dpo.beta": [0.2, "1e-3"]}},
            "sweep: point beta=1e-3-seed=1: dpo.beta: '1e-3' is text, not a number; write 0.001",
        ),
        ({"grid": {"dpo.beta": [1, 2, 1.0]}}, "sweep: beta=1.0 has the settings of beta=1; drop one of them"),
        (
            {"list": [{"name": "usual"}, {"dpo.beta": 0.1}]},
            "sweep: beta=0.1 has the settings of usual; drop one of them",
        ),
        (
            {"list": [{"dpo.model_name": "a b"}, {"dpo.model_name": "a/b"}]},
            "sweep: model_name=a_b: another point has this name, up to its punctuation; "
            "use a list, and give the points names",
        ),
        (
            {"list": [{"dpo.model_name": "x" * 110}]},
            f"sweep: model_name={'x' * 110}: the run's name has 126 characters, 120 fit; "
            "use a list, and give the points names",
        ),
    ],
)
def test_a_bad_sweep_is_named_with_its_fix(sweep, problem):
    assert problems(**sweep) == [problem]


def test_the_file_with_a_faulty_sweep_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("sweep: {grid: {dpo.beta: 0.2}}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^mine.yaml: sweep\.grid\.dpo\.beta: 0\.2 is not of type 'array'"):
        check_config(load_config([overlay]), [overlay])
