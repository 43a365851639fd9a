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
    assert run.start == run.base == run.published == Model("results/tiny/model", "results/tiny/model.sha256")
    assert run.is_packed


def test_a_model_of_ones_own_is_no_input_and_its_manifest_is_the_runs():
    model = runs(model={"folder": "models/own"})["tiny"].published
    assert (model.folder, model.manifest, model.built) == ("models/own", "results/tiny/model.sha256", [])


DEQUANTISED = Model("results/tiny/dequantised", "results/tiny/dequantised.sha256")


def test_a_packed_model_is_tuned_as_it_is(tmp_path):
    folder = str(write_model_folder(tmp_path / "own"))
    run = runs(model={"folder": folder})["tiny"]
    assert run.start == run.base == run.published == Model(folder, "results/tiny/model.sha256", is_built=False)


def test_a_packed_model_is_dequantised_and_that_is_tuned_if_asked_for(tmp_path):
    folder = str(write_model_folder(tmp_path / "own"))
    run = runs(model={"folder": folder, "weights": "bfloat16"})["tiny"]
    assert run.start == run.base == DEQUANTISED


@pytest.mark.parametrize("weights", ["as_published", "bfloat16"])
@pytest.mark.parametrize("packed", [True, False])
def test_whether_a_model_is_packed_depends_on_its_folder(tmp_path, weights, packed):
    folder = write_model_folder(tmp_path / "own", packed=packed)
    run = runs(model={"folder": str(folder), "weights": weights})["tiny"]
    assert run.is_packed == packed
    assert (run.base == DEQUANTISED) == (packed and weights == "bfloat16")


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
def test_a_packed_model_stays_so_where_nothing_of_its_experts_was_trained(tmp_path, changes, is_kept):
    folder = str(write_model_folder(tmp_path / "own"))
    run = runs(model={"folder": folder}, **changes)["tiny-plain" if "sweep" in changes else "tiny"]
    assert run.stays_packed == is_kept


def test_a_model_that_came_in_bfloat16_is_merged_in_bfloat16(tmp_path):
    folder = str(write_model_folder(tmp_path / "own", packed=False))
    assert not runs(model={"folder": folder}, merge={"format": "as_base"})["tiny"].stays_packed


@pytest.mark.parametrize(
    ("weights", "sft", "merged_into"),
    [
        ("as_published", {}, "own"),
        ("bfloat16", {}, "own"),
        ("bfloat16", {"enabled": True, "join": "stacked"}, "own"),
        ("as_published", {"enabled": True, "join": "merged"}, "results/tiny/sft/merged"),
        ("bfloat16", {"enabled": True, "join": "merged"}, "results/tiny/sft/merged"),
    ],
)
def test_the_adapter_is_merged_into_a_packed_model_wherever_there_is_one(tmp_path, weights, sft, merged_into):
    folder = str(write_model_folder(tmp_path / "own"))
    run = runs(model={"folder": folder, "weights": weights}, sft=sft)["tiny"]
    assert run.merged_into.folder.removeprefix(f"{tmp_path}/") == merged_into


def test_in_bfloat16_the_adapter_is_merged_into_what_was_trained(tmp_path):
    folder = str(write_model_folder(tmp_path / "own"))
    run = runs(model={"folder": folder, "weights": "bfloat16"}, merge={"format": "bfloat16"})["tiny"]
    assert run.merged_into == run.base == DEQUANTISED


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
    assert (start.folder, start.adapter_folder) == ("results/tiny/model", "results/tiny/sft/adapter")
