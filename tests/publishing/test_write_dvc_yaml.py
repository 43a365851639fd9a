"""dvc.yaml of an overlay: which settings a stage reads, what of a large run is kept, and the points of a sweep."""

import os
import re
from pathlib import Path

import pytest
import yaml

from pipeline.graph.list_jobs import Job, list_jobs
from pipeline.provenance.run_records import record_of
from pipeline.publishing.code_digests import DIGESTS
from pipeline.publishing.dvc_yaml import describe_stage, list_params, render, write_command
from tests.support.project import ROOT, embedded_pairs


def render_overlay(overlay: Path) -> dict:
    """Return dvc.yaml of an overlay."""
    embedded_pairs()
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        text: dict = yaml.safe_load(render([overlay]))
    finally:
        os.chdir(here)
    return text


@pytest.fixture(scope="module")
def tutorial() -> dict:
    """Return dvc.yaml of the tutorial."""
    return render_overlay(Path("experiments/tutorial.yaml"))


def write_sweep(overlay: Path, beta: float) -> Path:
    """Write a sweep of three points; two of them share a training."""
    points = [{"name": "usual"}, {"name": "sharp", "dpo.beta": beta}, {"dpo.beta": beta, "infer.temperature": 0.5}]
    overlay.write_text(yaml.safe_dump({"sweep": {"list": points}}), encoding="utf-8")
    return overlay


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> dict:
    """Return dvc.yaml of a sweep."""
    return render_overlay(write_sweep(tmp_path_factory.mktemp("sweep") / "sweep.yaml", 0.5))


def test_a_setting_is_read_from_the_file_that_has_the_last_word(tutorial):
    params = {file: names for entry in tutorial["stages"]["train_dpo"]["params"] for file, names in entry.items()}
    assert {"dpo.ld_alpha", "train.cpu_processes"} <= set(params["config.yaml"])
    assert {"dpo.learning_rate", "train.gpus"} <= set(params["experiments/tutorial.yaml"])
    assert not set(params["config.yaml"]) & set(params["experiments/tutorial.yaml"])


def test_a_loss_that_only_changes_with_other_settings_is_read_by_the_training(tutorial):
    params = {name for entry in tutorial["stages"]["train_dpo"]["params"] for names in entry.values() for name in names}
    assert {"dpo.rlhf_type", "dpo.loss_type", "dpo.label_smoothing", "dpo.target_parameters"} <= params


def test_a_section_stands_for_its_settings_where_all_of_it_is_read_from_one_file(tmp_path):
    read, known = {"a.x", "a.y", "b.x"}, {"a.x", "a.y", "b.x", "b.y"}
    assert list_params(read, known, []) == [{"config.yaml": ["a", "b.x"]}]
    (tmp_path / "overlay.yaml").write_text("a: {x: 1}\n", encoding="utf-8")
    assert list_params(read, known, [tmp_path / "overlay.yaml"]) == [
        {str(tmp_path / "overlay.yaml"): ["a.x"]},
        {"config.yaml": ["a.y", "b.x"]},
    ]


def test_of_two_overlays_with_a_setting_the_last_one_is_read(tmp_path):
    overlays = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for overlay in overlays:
        overlay.write_text("a: {x: 1}\n", encoding="utf-8")
    assert list_params({"a.x"}, {"a.x", "a.y"}, overlays) == [{str(overlays[1]): ["a.x"]}]


def test_a_stage_depends_on_every_input_of_its_job():
    inputs, outputs = ("b", "c", "a"), ("out", "out.sha256")
    job = Job("merge", "merge", "", inputs, outputs, accounts=("gates.json",), code=("x.py",), params=(), command="m")
    stage = describe_stage(job, [{"config.yaml": ["dpo"]}], "snakemake", {"dvc": {"push_merged": True}})
    assert stage["deps"] == ["a", "b", "c"]
    assert stage["outs"] == [*outputs, "gates.json", *map(record_of, outputs)]
    assert stage["params"] == [{"config.yaml": ["dpo"]}, {str(DIGESTS): ["x.py"]}]


def test_code_that_a_stage_reads_is_among_what_is_digested(tutorial):
    digested, *stages = tutorial["stages"].values()
    read = {file for stage in stages for file in stage["params"][-1][str(DIGESTS)]}
    assert read
    assert read <= set(digested["deps"])


def test_the_merged_model_of_a_large_run_is_recorded_but_not_kept(tutorial):
    outs = tutorial["stages"]["merge_adapter"]["outs"]
    assert {"results/tutorial/merged": {"cache": False}} in outs
    assert "results/tutorial/merged.sha256" in outs


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("name", ["merged", "dequantised"])
def test_a_large_model_is_kept_only_where_dvc_push_merged_says_so(name, kept):
    outputs = (f"results/r/{name}", f"results/r/{name}.sha256")
    job = Job("write", "write", "", (), outputs, accounts=(), code=(), params=(), command="w")
    folder, manifest, *_ = describe_stage(job, [], "snakemake", {"dvc": {"push_merged": kept}})["outs"]
    assert folder == (outputs[0] if kept else {outputs[0]: {"cache": False}})
    assert manifest == outputs[1]


def test_the_base_model_is_recorded_by_folder_and_hashes_and_is_no_out(tutorial):
    stage = tutorial["stages"]["check_model"]
    settings, code = stage["params"]
    assert settings == {"experiments/tutorial.yaml": ["model.folder"]}
    assert "scripts/check_model.py" in code[str(DIGESTS)]
    assert stage["deps"] == ["models/gpt-oss-20b"]
    assert stage["outs"] == ["results/tutorial/model.sha256", record_of("results/tutorial/model.sha256")]


def test_what_a_large_run_adds_is_kept(tutorial):
    outs = [out for stage in tutorial["stages"].values() for out in stage["outs"] if isinstance(out, str)]
    assert {
        f"results/tutorial/{name}" for name in ("dpo/adapter", "dpo/curves.jsonl", "infer/predictions.jsonl")
    } <= set(outs)


def test_a_path_too_long_to_be_recorded_is_refused():
    with pytest.raises(SystemExit, match="give the run a shorter name"):
        record_of("x" * 200)


def test_a_point_has_stages_of_its_own_under_names_that_dvc_takes(sweep):
    trained = {name for name in sweep["stages"] if name.startswith("train_dpo")}
    answered = {name for name in sweep["stages"] if name.startswith("infer_shard-")}
    assert trained == {"train_dpo", "train_dpo-sharp"}
    assert answered == {"infer_shard-usual-0", "infer_shard-sharp-0", "infer_shard-beta_0_5-temperature_0_5-0"}
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in sweep["stages"])


def test_what_the_points_share_is_run_as_without_a_sweep(sweep):
    plain = {name for name, stage in sweep["stages"].items() if "--configfile" not in stage["cmd"]}
    assert {"convert_preferences", "build_tiny_model", "check_tokens", "train_dpo", "merge_adapter"} <= plain


def test_a_swept_setting_of_config_yaml_is_no_setting_of_a_point(sweep):
    params, _ = sweep["stages"]["train_dpo-sharp"]["params"]
    assert "dpo.seed" in params["config.yaml"]
    assert not {"dpo", "dpo.beta"} & set(params["config.yaml"])


def test_each_training_of_a_sweep_has_metrics_and_curves(sweep):
    runs = ["tiny", "tiny-sharp"]
    assert sweep["metrics"] == [f"results/{run}/dpo/metrics.json" for run in runs]
    assert list(sweep["plots"][0]["loss"]["y"]) == [f"results/{run}/dpo/training.csv" for run in runs]


def test_another_value_of_a_named_point_is_another_command(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    overlay = tmp_path / "sweep.yaml"
    commands = []
    for beta in (0.5, 0.6):
        jobs = {job.name: job for job in list_jobs([write_sweep(overlay, beta)])}
        commands.append(write_command(jobs["train_dpo-sharp"], [overlay], swept=True))
    assert commands[0] != commands[1]
