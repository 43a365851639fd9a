"""merge_adapter.py: what a merged model takes from the model as it is, and where that is."""

import json
from argparse import Namespace

import pytest
import yaml

from pipeline.models.model_weights import read_tensors
from pipeline.models.weight_file import Kind, write_weights
from scripts.merge_adapter import TAKEN, copy_tokenizer, needed_space, require_space
from tests.support.both_engines import in_folder
from tests.support.model_folders import write_model_folder
from tests.support.project import ROOT


def test_a_merged_model_has_the_tokenizer_files_of_the_model_and_no_others(tmp_path):
    model, merged = tmp_path / "model", tmp_path / "merged"
    for folder, names in (
        (model, ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]),
        (merged, ["tokenizer.json", "tokenizer_config.json", "added_tokens.json", "model.safetensors"]),
    ):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(json.dumps([folder.name, name]), encoding="utf-8")
    copy_tokenizer(model, merged)
    assert {path.name: json.loads(path.read_text(encoding="utf-8"))[0] for path in merged.iterdir()} == {
        "tokenizer.json": "model",
        "tokenizer_config.json": "model",
        "chat_template.jinja": "model",
        "model.safetensors": "merged",
    }


@pytest.mark.parametrize(
    ("weights", "trained_on", "merged_into"),
    [("as_published", "published", "published"), ("bfloat16", "results/own/dequantised", "published")],
)
def test_a_packed_model_is_merged_into_also_where_it_was_dequantised_for_the_training(
    tmp_path, weights, trained_on, merged_into
):
    model = str(write_model_folder(tmp_path / "published"))
    overlay = tmp_path / "own.yaml"
    overlay.write_text(yaml.safe_dump({"run": "own", "model": {"folder": model, "weights": weights}}))
    jobs = {job["rule"]: job for job in in_folder(ROOT, "tests.support.plans:list_commands", [str(overlay)])}
    for rule, folder in (("train_dpo", trained_on), ("merge_adapter", merged_into)):
        words = jobs[rule]["words"]
        assert words[words.index("--model") + 1] == folder.replace("published", model)


@pytest.mark.parametrize("packed", [True, False])
def test_a_disk_has_to_hold_the_model_and_once_more_what_is_beside_packed_experts(tmp_path, packed):
    model = write_model_folder(tmp_path / "model", packed=packed)
    (adapter := tmp_path / "adapter").mkdir()
    weight = {"base_model.model.lm_head.lora_A.weight": Kind("F32", (1,))}
    write_weights(adapter / "adapter_model.safetensors", weight, [bytes(4)])
    args = Namespace(model=model, adapter=adapter, settings={"merge": {"format": "auto"}})
    size = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    beside = sum(one.kind.size for one in read_tensors(model).values() if one.kind.dtype != "U8")
    assert needed_space(args) == size + packed * beside


def test_a_disk_without_room_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"GiB free, but the merge takes 8192\.0 GiB; make room, or let results/ be"):
        require_space(2**43, tmp_path, TAKEN)


def test_a_disk_with_room_is_accepted(tmp_path):
    require_space(1, tmp_path, TAKEN)
