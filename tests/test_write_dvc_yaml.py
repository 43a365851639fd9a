"""dvc.yaml of an overlay: which file's settings a stage reads, and what of a large run is kept."""

import os
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from write_dvc_yaml import list_params, record_of, render


@pytest.fixture(scope="module")
def tutorial() -> dict:
    """Return dvc.yaml of the tutorial."""
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        text: dict = yaml.safe_load(render([Path("experiments/tutorial.yaml")]))
    finally:
        os.chdir(here)
    return text


def test_a_setting_is_read_from_the_file_that_has_the_last_word(tutorial):
    params = {file: names for entry in tutorial["stages"]["train_dpo"]["params"] for file, names in entry.items()}
    assert {"dpo.beta", "train.cpu_processes"} <= set(params["config.yaml"])
    assert {"dpo.learning_rate", "train.gpus"} <= set(params["experiments/tutorial.yaml"])
    assert not set(params["config.yaml"]) & set(params["experiments/tutorial.yaml"])


def test_a_section_stands_for_its_settings_where_all_of_it_is_read_from_one_file(tmp_path):
    readers = {"a.x": {"job"}, "a.y": {"job"}, "b.x": {"job"}, "b.y": set()}
    assert list_params("job", readers, []) == [{"config.yaml": ["a", "b.x"]}]
    (tmp_path / "overlay.yaml").write_text("a: {x: 1}\n", encoding="utf-8")
    assert list_params("job", readers, [tmp_path / "overlay.yaml"]) == [
        {str(tmp_path / "overlay.yaml"): ["a.x"]},
        {"config.yaml": ["a.y", "b.x"]},
    ]


def test_the_merged_model_of_a_large_run_is_recorded_but_not_kept(tutorial):
    outs = tutorial["stages"]["merge_adapter"]["outs"]
    assert {"results/tutorial/merged": {"cache": False}} in outs
    assert "results/tutorial/merged.sha256" in outs


def test_the_base_model_is_recorded_by_folder_and_hashes_and_is_no_out(tutorial):
    stage = tutorial["stages"]["check_model"]
    assert stage["params"] == [{"experiments/tutorial.yaml": ["model.folder"]}]
    assert stage["outs"] == ["results/tutorial/model.sha256", record_of("results/tutorial/model.sha256")]


def test_what_a_large_run_adds_is_kept(tutorial):
    outs = [out for stage in tutorial["stages"].values() for out in stage["outs"] if isinstance(out, str)]
    assert {
        f"results/tutorial/{name}" for name in ("dpo/adapter", "dpo/curves.jsonl", "infer/predictions.jsonl")
    } <= set(outs)


def test_a_path_too_long_to_be_recorded_is_refused():
    with pytest.raises(SystemExit, match="give the run a shorter name"):
        record_of("x" * 200)
