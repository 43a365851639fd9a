"""dequantise_model.py: a packed model in bfloat16, value by value, and everything else byte for byte."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import GptOssConfig, GptOssForCausalLM

from pipeline.files.folder_manifest import list_files, manifest_beside, write_manifest
from pipeline.models.dequantised_folder import dequantise_experts
from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_weights import read_tensors
from pipeline.models.weight_file import read_bytes
from scripts import dequantise_model
from tests.models.test_mxfp4 import reference, to_float64
from tests.support.model_folders import SHARDS, write_model_folder

pytestmark = pytest.mark.training_environment

EXPERTS = [f"model.layers.{layer}.mlp.experts.{name}" for layer in (0, 1) for name in ("gate_up_proj", "down_proj")]


def dequantise(model, **paths):
    """Dequantise a model into the folder beside it, and return that."""
    folder = model.parent / "dequantised"
    places = {"--manifest": manifest_beside(model), "--folder": folder} | paths
    dequantise_model.main([str(model), *(str(word) for place in places.items() for word in place)])
    return folder


@pytest.fixture
def packed(tmp_path):
    """Return a packed model with its manifest, and what a download leaves beside its weights."""
    folder = write_model_folder(tmp_path / "model")
    for name in ("original/model.safetensors", "metal/model.bin", ".cache/lock", "README.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"other")
    write_manifest(folder, manifest_beside(folder))
    return folder


@pytest.fixture
def plain(packed):
    return dequantise(packed)


def load(folder) -> dict[str, torch.Tensor]:
    """Return all tensors of a model, by the library that everyone reads them with."""
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


@pytest.mark.parametrize("name", EXPERTS)
def test_every_weight_of_an_expert_is_the_number_that_float64_says(packed, plain, name):
    before = load(packed)
    expected = reference(before[f"{name}_blocks"].numpy(), before[f"{name}_scales"].numpy())
    found = load(plain)[name]
    assert found.dtype == torch.bfloat16
    assert np.array_equal(to_float64(found), expected)


def test_every_other_tensor_is_the_same_bytes_in_the_same_file(packed, plain):
    before, after = read_tensors(packed), read_tensors(plain)
    others = [name for name in before if not name.endswith(("_blocks", "_scales"))]
    assert sorted(after) == sorted([*others, *EXPERTS])
    for name in others:
        assert b"".join(read_bytes(before[name])) == b"".join(read_bytes(after[name]))
        assert (before[name].kind, before[name].file.name) == (after[name].kind, after[name].file.name)


def test_config_json_loses_what_it_says_of_packed_weights_and_nothing_else(packed, plain):
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (packed, plain))
    assert before.pop("quantization_config")["quant_method"] == "mxfp4"
    assert after == before


def test_tokenizer_and_template_are_copied_and_other_formats_are_not(packed, plain):
    assert {path.name for path in list_files(plain)} == {path.name for path in list_files(packed)}
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (plain / name).read_bytes() == (packed / name).read_bytes()
    assert not (plain / "original").exists() and not (plain / "metal").exists()


def test_the_result_is_whole_and_its_files_are_recorded(plain):
    assert not find_model_problem(plain)
    recorded = manifest_beside(plain).read_text(encoding="utf-8")
    assert [line.partition("dequantised/")[2] for line in recorded.splitlines()] == [p.name for p in list_files(plain)]


def test_transformers_has_exactly_these_tensors(plain):
    with torch.device("meta"):
        model = GptOssForCausalLM(GptOssConfig.from_pretrained(plain))
    expected = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    assert {name: stored.kind.shape for name, stored in read_tensors(plain).items()} == expected


def test_transformers_loads_it_as_it_loads_the_packed_folder(packed, plain):
    from transformers import Mxfp4Config

    config = Mxfp4Config(dequantize=True)
    theirs = GptOssForCausalLM.from_pretrained(packed, dtype=torch.bfloat16, quantization_config=config)
    ours, info = GptOssForCausalLM.from_pretrained(plain, dtype=torch.bfloat16, output_loading_info=True)
    assert not any(info.values())
    weights = dict(ours.named_parameters())
    assert weights.keys() == dict(theirs.named_parameters()).keys()
    assert all(torch.equal(weight, weights[name]) for name, weight in theirs.named_parameters())


def test_what_was_in_the_folder_before_is_gone(packed):
    (packed.parent / "dequantised").mkdir()
    (packed.parent / "dequantised" / "model-00007-of-00008.safetensors").touch()
    assert not find_model_problem(dequantise(packed))


def test_a_model_in_one_file_stays_in_one_file(packed):
    from safetensors.torch import save_file

    tensors = load(packed)
    for name in (*SHARDS, "model.safetensors.index.json"):
        (packed / name).unlink()
    save_file(tensors, packed / "model.safetensors", metadata={"format": "pt"})
    write_manifest(packed, manifest_beside(packed))
    folder = dequantise(packed)
    assert [path.name for path in folder.glob("*.safetensors*")] == ["model.safetensors"]
    assert not find_model_problem(folder)


def test_a_file_that_is_not_that_of_the_manifest_stops_before_anything_is_written(packed):
    with (packed / "tokenizer.json").open("a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(SystemExit, match=r"model/tokenizer.json differs from .*model.sha256; fetch or make it again$"):
        dequantise(packed)
    assert not (packed.parent / "dequantised").exists()


def test_a_model_that_is_not_packed_is_refused(tmp_path):
    folder = write_model_folder(tmp_path / "model", packed=False)
    write_manifest(folder, manifest_beside(folder))
    with pytest.raises(SystemExit, match=r"model: its weights are not packed; use it as it is$"):
        dequantise(folder)


def test_the_packed_models_own_folder_is_refused(packed):
    with pytest.raises(SystemExit, match=r"model: the packed model's own folder; name another with --folder$"):
        dequantise(packed, **{"--folder": packed})
    assert not find_model_problem(packed)


def test_a_disk_without_room_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"GiB free, but the model takes 8388608.0 GiB in bfloat16; make room, or let"):
        dequantise_model.require_space(2**53, tmp_path, dequantise_model.TAKEN)


def test_one_expert_is_in_memory_at_a_time(packed):
    tensors = read_tensors(packed)
    pieces = [
        len(piece.tobytes())
        for piece in dequantise_experts(*(tensors[EXPERTS[0] + end] for end in ("_blocks", "_scales")))
    ]
    assert pieces == [64 * 64 * 2] * 4
