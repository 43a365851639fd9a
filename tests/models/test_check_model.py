"""check_model.py and merge_adapter.py: a model that cannot be used, and a disk that is too small."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.files.known_hashes import file_sha256
from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_weights import read_index, read_tensors
from pipeline.models.weight_file import Kind, read_header, write_weights
from scripts.check_model import main
from tests.support.model_folders import SHARDS, write_index, write_model_folder

FIRST, SECOND = SHARDS
BLOCKS = "model.layers.0.mlp.experts.gate_up_proj_blocks"


@pytest.fixture
def folder(tmp_path):
    """Return a packed gpt-oss, as it is published."""
    return write_model_folder(tmp_path / "model")


@pytest.fixture
def plain(tmp_path):
    """Return a gpt-oss in bfloat16."""
    return write_model_folder(tmp_path / "plain", packed=False)


def problem_of(folder) -> str:
    return (find_model_problem(folder) or "").replace(f"{folder.parent}/", "")


def change_config(folder, **changes) -> None:
    """Change config.json; with None, a key is left out."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    text = json.dumps({key: value for key, value in config.items() if value is not None})
    (folder / "config.json").write_text(text, encoding="utf-8")


def change_kinds(file, **changes: Kind) -> None:
    """Write a file again with other tensors, of zeros; the index does not change."""
    kinds = {name: stored.kind for name, stored in read_header(file).items()} | changes
    write_weights(file, kinds, [bytes(kind.size) for kind in kinds.values()])


def test_a_packed_gpt_oss_passes_and_its_files_are_recorded(folder):
    manifest = folder.parent / "model.sha256"
    main([str(folder), "--manifest", str(manifest)])
    for name in ("config.json", "chat_template.jinja", *SHARDS):
        assert f"{file_sha256(folder / name)}  model/{name}\n" in manifest.read_text(encoding="utf-8")


def test_other_formats_beside_it_are_not_recorded(folder):
    for name in ("original/model.safetensors", "metal/model.bin"):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(b"other")
    manifest = folder.parent / "model.sha256"
    main([str(folder), "--manifest", str(manifest)])
    assert len(manifest.read_text(encoding="utf-8").splitlines()) == len(list(folder.iterdir())) - 2


def test_a_gpt_oss_in_bfloat16_passes(plain):
    assert not problem_of(plain)


def test_weights_in_one_file_need_no_index(plain):
    kinds = {name: stored.kind for name, stored in read_tensors(plain).items()}
    for name in (*SHARDS, "model.safetensors.index.json"):
        (plain / name).unlink()
    write_weights(plain / "model.safetensors", kinds, [bytes(kind.size) for kind in kinds.values()])
    assert not problem_of(plain)


def test_a_folder_that_is_not_there_is_named(folder):
    assert problem_of(folder.parent / "other").startswith("other: no such folder; put gpt-oss there")


LEFT_OUT = """--exclude "original/*" --exclude "metal/*\""""


@pytest.mark.parametrize(
    ("said", "hub", "target"),
    [
        ("openai/gpt-oss-20b", "openai/gpt-oss-20b", "models/gpt-oss-20b"),
        ("owner/own", "owner/own", "models/own"),
        ("models/gpt-oss-120b", "openai/gpt-oss-120b", "models/gpt-oss-120b"),
        ("/mnt/gpt-oss-20b", "openai/gpt-oss-20b", "/mnt/gpt-oss-20b"),
    ],
)
def test_a_model_of_a_hub_that_is_not_here_gets_the_command_that_downloads_it(said, hub, target):
    command = f"envs/with-training hf download {hub} {LEFT_OUT} --local-dir {target}"
    setting = "" if said == target else f", and set model.folder to {target}"
    assert find_model_problem(Path(said)) == f"{said}: no such folder; run `{command}`{setting}"


def test_a_missing_folder_beside_others_is_no_name_on_a_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert find_model_problem(Path("mine/own")).startswith("mine/own: no such folder; put gpt-oss there")


def test_another_architecture_is_refused(folder):
    change_config(folder, architectures=["LlamaForCausalLM"])
    assert problem_of(folder) == (
        "model/config.json: architectures is ['LlamaForCausalLM'], not ['GptOssForCausalLM']; "
        "model.folder must name a gpt-oss"
    )


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", *SHARDS])
def test_a_missing_file_is_named(folder, missing):
    (folder / missing).unlink()
    assert problem_of(folder).startswith(f"model/{missing}: missing; ")


def test_without_an_index_the_one_file_is_missing(folder):
    (folder / "model.safetensors.index.json").unlink()
    assert problem_of(folder).startswith("model/model.safetensors: missing; fetch the model's weights again")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_broken_file_is_named(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    assert problem_of(folder) == f"model/{name}: not a JSON object; fetch the model again"


@pytest.mark.parametrize("index", [{}, {"weight_map": {}}, {"weight_map": {"a": 1}}, {"weight_map": ["a"]}])
def test_an_index_without_files_of_tensors_is_named(folder, index):
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert problem_of(folder) == "model/model.safetensors.index.json: not an index of weights; fetch the model again"


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/other.safetensors", "original/model.safetensors"])
def test_an_index_that_leads_out_of_the_folder_is_refused(folder, name):
    write_index(folder, read_index(folder) | {"lm_head.weight": name})
    said = f"model/model.safetensors.index.json: names {name}, which leads out of the folder; fetch the model again"
    assert problem_of(folder) == said


def test_an_index_that_leads_to_a_pickle_is_refused(folder):
    write_index(folder, read_index(folder) | {"lm_head.weight": "pytorch_model.bin"})
    assert "names pytorch_model.bin, which is not a safetensors file; fetch" in problem_of(folder)


def test_an_index_that_names_what_a_shard_does_not_have_is_refused(folder):
    write_index(folder, read_index(folder) | {"model.other": FIRST})
    assert f"index.json: names model.other, which {FIRST} does not have; fetch" in problem_of(folder)


@pytest.mark.parametrize("elsewhere", [{}, {"lm_head.weight": FIRST}])
def test_a_tensor_that_the_index_does_not_name_in_its_file_is_refused(folder, elsewhere):
    index = read_index(folder)
    del index["lm_head.weight"]
    write_index(folder, index | elsewhere)
    said = f"model/{SECOND}: lm_head.weight is there, but model.safetensors.index.json does not say so; "
    assert problem_of(folder).startswith(said)


def test_a_shard_that_the_index_does_not_name_is_refused(folder):
    (folder / "model-00002-of-00003.safetensors").touch()
    assert problem_of(folder).startswith(
        "model/model-00002-of-00003.safetensors: not named in model.safetensors.index.json"
    )


def test_a_shard_that_was_cut_off_is_named(folder):
    os.truncate(folder / SECOND, (folder / SECOND).stat().st_size - 1)
    assert "bytes, but its header says" in problem_of(folder)
    assert problem_of(folder).startswith(f"model/{SECOND}: ")


def test_the_first_tensor_of_another_shape_is_named_with_both(folder):
    change_kinds(
        folder / FIRST, **{BLOCKS: Kind("U8", (4, 64, 1, 16)), "model.layers.0.mlp.router.bias": Kind("BF16", (5,))}
    )
    said = "model.layers.0.mlp.router.bias is BF16 [5], but config.json implies BF16 [4]; fetch the model again"
    assert problem_of(folder) == f"model/{FIRST}: {said}"


def test_a_tensor_of_another_type_is_named(plain):
    change_kinds(plain / SECOND, **{"lm_head.weight": Kind("F16", (300, 64))})
    assert "lm_head.weight is F16 [300, 64], but config.json implies BF16 [300, 64]; " in problem_of(plain)


def test_a_tensor_that_no_file_has_is_named(folder):
    change_config(folder, num_hidden_layers=3)
    assert problem_of(folder) == (
        "model: no file has model.layers.2.self_attn.sinks, which config.json implies; fetch the model again"
    )


def test_a_tensor_that_config_json_does_not_imply_is_named(folder):
    change_config(folder, tie_word_embeddings=True)
    assert problem_of(folder).startswith(f"model/{SECOND}: lm_head.weight is not in a model of this config.json; ")


def test_packed_tensors_with_the_config_of_bfloat16_are_refused(folder):
    change_config(folder, quantization_config=None)
    said = f"model/config.json: no quantization_config, but {BLOCKS} is packed; fetch config.json again"
    assert problem_of(folder) == said


def test_tensors_in_bfloat16_with_the_config_of_packed_ones_are_refused(plain):
    change_config(plain, quantization_config={"quant_method": "mxfp4"})
    said = "quant_method is mxfp4, but model.layers.0.mlp.experts.gate_up_proj is not packed; fetch config.json again"
    assert problem_of(plain) == f"plain/config.json: {said}"


def test_packed_tensors_with_the_index_of_bfloat16_are_refused(folder, plain):
    (folder / "model.safetensors.index.json").write_bytes((plain / "model.safetensors.index.json").read_bytes())
    assert problem_of(folder).startswith(f"model/{FIRST}: {BLOCKS} is there, but model.safetensors.index.json does not")


def test_tensors_in_bfloat16_with_the_index_of_packed_ones_are_refused(folder, plain):
    (plain / "model.safetensors.index.json").write_bytes((folder / "model.safetensors.index.json").read_bytes())
    plain_name = BLOCKS.removesuffix("_blocks")
    assert problem_of(plain).startswith(
        f"plain/{FIRST}: {plain_name} is there, but model.safetensors.index.json does not"
    )


@pytest.mark.parametrize("name", ["hidden_size", "intermediate_size"])
def test_packed_weights_with_a_part_of_a_block_are_refused(folder, name):
    change_config(folder, **{name: 48})
    assert problem_of(folder) == f"model/config.json: {name} is 48, not a multiple of 32, as packed weights need"


def test_a_count_of_blocks_that_is_not_the_inputs_is_named(folder):
    change_kinds(folder / FIRST, **{BLOCKS: Kind("U8", (4, 64, 3, 16))})
    assert f"{BLOCKS} is U8 [4, 64, 3, 16], but config.json implies U8 [4, 64, 2, 16]; " in problem_of(folder)


@pytest.mark.parametrize(("method", "said"), [({"quant_method": "fp8"}, "'fp8'"), ({}, "None"), ("int4", "'int4'")])
def test_another_quantisation_is_refused(folder, method, said):
    change_config(folder, quantization_config=method)
    assert problem_of(folder).startswith(f"model/config.json: quant_method is {said}; take the published model (mxfp4)")


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_another_type_of_all_weights_is_refused(plain, key):
    change_config(plain, **{key: "float16"})
    assert problem_of(plain) == (
        "plain/config.json: dtype is 'float16', not one of bfloat16, float32; convert the weights to bfloat16"
    )


def test_a_packed_model_whose_other_tensors_are_in_float32_is_refused(tmp_path):
    folder = write_model_folder(tmp_path / "model", dtype="float32")
    assert problem_of(folder) == (
        "model/config.json: dtype is 'float32' of a packed model, not bfloat16; take the published model"
    )


def test_an_adapter_in_the_folder_is_refused(folder):
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert problem_of(folder).startswith("model/adapter_config.json: an adapter, in the model's folder; move it out")


@pytest.mark.parametrize("name", ["model_type", "template"])
def test_an_args_json_of_another_model_is_refused(folder, name):
    (folder / "args.json").write_text(json.dumps({name: "qwen3"}), encoding="utf-8")
    said = f"{name} is 'qwen3', not 'gpt_oss': of another model; move it out of the folder"
    assert problem_of(folder) == f"model/args.json: {said}"


def test_an_args_json_of_a_gpt_oss_is_accepted(folder):
    said = {"model_type": "gpt_oss", "template": None, "system": "Translate."}
    (folder / "args.json").write_text(json.dumps(said), encoding="utf-8")
    assert not problem_of(folder)


def test_nan_is_refused_before_anything_is_recorded(plain):
    stored = read_header(plain / SECOND)["lm_head.weight"]
    np.memmap(stored.file, "<u2", "r+", stored.start, stored.kind.shape)[7, 7] = 0x7FC0
    with pytest.raises(SystemExit, match=r"lm_head.weight has NaN or infinity; fetch the model's weights again$"):
        main([str(plain), "--manifest", str(plain.parent / "model.sha256")])
    assert not (plain.parent / "model.sha256").exists()
