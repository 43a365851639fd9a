"""check_model.py and merge_adapter.py: a model that cannot be used, and a disk that is too small."""

import json
import os

import pytest

from pipeline.files.known_hashes import file_sha256
from pipeline.models.model_folder import find_model_problem
from scripts.check_model import main
from scripts.merge_adapter import require_space


@pytest.fixture
def folder(tmp_path):
    """Return a folder that looks like a gpt-oss."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"architectures": ["GptOssForCausalLM"]}', encoding="utf-8")
    (model / "tokenizer.json").write_text("{}", encoding="utf-8")
    (model / "model.safetensors").write_bytes(b"weights")
    return model


def problem_of(folder) -> str:
    return (find_model_problem(folder) or "").replace(f"{folder.parent}/", "")


def test_a_gpt_oss_passes_and_its_files_are_recorded(folder):
    manifest = folder.parent / "model.sha256"
    main([str(folder), "--manifest", str(manifest)])
    assert f"{file_sha256(folder / 'config.json')}  model/config.json" in manifest.read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_named(folder):
    assert problem_of(folder.parent / "other").startswith("other: no such folder; put gpt-oss there")


def test_another_architecture_is_refused(folder):
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}', encoding="utf-8")
    assert problem_of(folder) == (
        "model/config.json: architectures is ['LlamaForCausalLM'], not ['GptOssForCausalLM']; "
        "model.folder must name a gpt-oss"
    )


def test_quantised_weights_are_refused(folder):
    config = {"architectures": ["GptOssForCausalLM"], "quantization_config": {"quant_method": "mxfp4"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert problem_of(folder).startswith("model/config.json: the weights are quantised")


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, missing):
    (folder / missing).unlink()
    assert problem_of(folder).startswith(f"model/{missing}: missing; ")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_broken_file_is_named(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    assert problem_of(folder).startswith(f"model/{name}: not ")


def test_a_missing_shard_is_named(folder):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "model-00001-of-00002.safetensors").touch()
    assert problem_of(folder).startswith("model/model-00002-of-00002.safetensors: missing")


def test_a_disk_without_room_for_the_merged_model_is_refused(folder):
    os.truncate(folder / "model.safetensors", 8 * 2**40)  # a hole of 8 TiB, which takes no room itself
    with pytest.raises(SystemExit, match=r"GiB free, but the merged model takes 8192.0 GiB; make room"):
        require_space(folder, folder.parent)


def test_a_disk_with_room_is_accepted(folder):
    require_space(folder, folder.parent)
