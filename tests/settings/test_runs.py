"""runs.py: where each run of a graph finds its models, its training and what it shares."""

from pathlib import Path

import pytest

from pipeline.settings.check import load_config, merge
from pipeline.settings.runs import Model, list_runs
from tests.support.model_folders import write_model_folder

POINTS = {"list": [{"name": "sharp", "dpo.beta": 0.5}, {"name": "warm", "infer.temperature": 0.5}]}


def runs(**overlay):
    """Return the runs of config.yaml under an overlay."""
    return list_runs(merge(load_config([]), overlay))


def test_a_plain_run_has_all_its_own():
    run = runs()["tiny"]
    assert (run.folder, run.shared, run.training, run.before) == ("results/tiny",) * 4
    assert run.published == Model("results/tiny/model", "results/tiny/model.sha256")
    assert run.start == run.base == Model("results/tiny/dequantised", "results/tiny/dequantised.sha256")


def test_a_model_with_random_weights_is_written_in_bfloat16():
    run = runs(model={"random": True})["tiny"]
    assert run.base == run.published == Model("results/tiny/model", "results/tiny/model.sha256")


def test_a_model_of_ones_own_is_no_input_and_its_manifest_is_the_runs():
    model = runs(model={"folder": "models/own"})["tiny"].published
    assert (model.folder, model.manifest, model.built) == ("models/own", "results/tiny/model.sha256", [])


def test_a_packed_model_is_dequantised_and_that_is_what_is_tuned(tmp_path):
    folder = str(write_model_folder(tmp_path / "own"))
    run = runs(model={"folder": folder})["tiny"]
    assert (run.published.folder, run.published.built) == (folder, [])
    assert run.start == run.base == Model("results/tiny/dequantised", "results/tiny/dequantised.sha256")


@pytest.mark.parametrize("weights", ["as_published", "bfloat16"])
@pytest.mark.parametrize("packed", [True, False])
def test_whether_a_model_is_dequantised_depends_on_its_folder(tmp_path, weights, packed):
    folder = write_model_folder(tmp_path / "own", packed=packed)
    run = runs(model={"folder": str(folder), "weights": weights})["tiny"]
    assert run.is_packed == packed


@pytest.mark.parametrize(
    ("manifests", "is_packed"),
    [([], True), (["model", "dequantised"], True), (["model"], False)],
    ids=["none yet", "packed then", "in bfloat16 then"],
)
def test_where_the_folder_is_not_here_the_model_is_what_the_run_last_had(tmp_path, monkeypatch, manifests, is_packed):
    monkeypatch.chdir(tmp_path)
    Path("results/tiny").mkdir(parents=True)
    for name in manifests:
        Path(f"results/tiny/{name}.sha256").touch()
    assert runs(model={"folder": "models/own"})["tiny"].is_packed == is_packed


def test_a_folder_without_a_config_that_can_be_read_is_not_taken_for_packed(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert not runs(model={"folder": str(tmp_path)})["tiny"].is_packed


EXPERTS = {"dpo": {"target_parameters": ["mlp.experts.down_proj"], "lora_dropout": 0}}
POINT = {"list": [{"name": "plain", "dpo.target_parameters": None}]}


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({}, True),
        ({"merge": {"format": "bfloat16"}}, False),
        (EXPERTS, False),
        (EXPERTS | {"sweep": POINT}, True),
        # The point's DPO starts from experts that the SFT of all points has trained.
        (EXPERTS | {"sweep": POINT, "sft": {"enabled": True}}, False),
    ],
)
def test_a_packed_model_is_kept_where_nothing_of_its_experts_was_trained(tmp_path, changes, is_kept):
    folder = str(write_model_folder(tmp_path / "own"))
    found = runs(model={"folder": folder}, **changes)
    base = Model(folder, "results/tiny/model.sha256", is_built=False)
    assert found["tiny-plain" if "sweep" in changes else "tiny"].kept_base == ([base] if is_kept else [])


def test_a_model_that_came_in_bfloat16_is_merged_in_bfloat16(tmp_path):
    folder = str(write_model_folder(tmp_path / "own", packed=False))
    assert runs(model={"folder": folder}, merge={"format": "as_base"})["tiny"].kept_base == []


@pytest.mark.parametrize(("join", "adapter"), [("merged", "results/tiny/sft/adapter"), ("stacked", None)])
def test_the_adapter_that_was_merged_before_dpo_is_known_to_the_merge(tmp_path, join, adapter):
    folder = str(write_model_folder(tmp_path / "own"))
    (base,) = runs(model={"folder": folder}, sft={"enabled": True, "join": join})["tiny"].kept_base
    assert base.adapter_folder == adapter


def test_points_share_what_they_do_not_differ_in():
    found = runs(sweep=POINTS)
    assert found["tiny-sharp"].training == "results/tiny-sharp"
    assert found["tiny-sharp"].before == "results/tiny"
    assert found["tiny-warm"].training == "results/tiny"
    assert found["tiny-warm"].before == "results/tiny-warm"


def test_dpo_starts_from_the_merged_sft_model():
    assert runs(sft={"enabled": True, "join": "merged"})["tiny"].start.folder == "results/tiny/sft/merged"


def test_dpo_goes_on_with_a_stacked_sft_adapter_on_the_base():
    start = runs(sft={"enabled": True, "join": "stacked"})["tiny"].start
    assert (start.folder, start.adapter_folder) == ("results/tiny/dequantised", "results/tiny/sft/adapter")
