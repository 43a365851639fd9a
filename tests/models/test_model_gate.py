"""model_gate.py: the files that a stage loads must be those of its manifest."""

from pathlib import Path

import pytest

from pipeline.files.folder_manifest import write_manifest
from pipeline.gates import gate
from pipeline.models.model_gate import gates_of_model, judge_files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a folder with a manifest beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(name, encoding="utf-8")
    write_manifest(folder, tmp_path / "model.sha256")
    return folder


def judge(model: Path) -> dict:
    """Return the gate of the folder."""
    return judge_files("model_files", model, model.with_name("model.sha256"))


def test_a_folder_that_is_what_its_manifest_names_passes(model):
    assert judge(model) == gate("model_files", True, "as named", "as named")


def test_the_card_of_a_model_is_not_looked_at(model):
    (model / "README.md").write_text("a card", encoding="utf-8")
    assert judge(model)["passed"]


@pytest.mark.parametrize("name", ["model.safetensors", "more.safetensors"])
def test_other_or_more_bytes_fail_and_the_file_is_named(model, name):
    (model / name).write_text("other", encoding="utf-8")
    row = judge(model)
    assert not row["passed"]
    assert row["value"].startswith(f"model/{name} differs from ")


def test_a_missing_file_fails(model):
    (model / "config.json").unlink()
    assert not judge(model)["passed"]


def test_an_adapter_has_a_gate_of_its_own_by_the_manifest_beside_it(model):
    manifest = model.with_name("model.sha256")
    assert [row["gate"] for row in gates_of_model(model, manifest, None)] == ["model_files"]
    assert [row["gate"] for row in gates_of_model(model, manifest, model)] == ["model_files", "adapter_files"]
