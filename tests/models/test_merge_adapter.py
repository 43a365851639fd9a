"""merge_adapter.py: what a merged model takes from the model as it is, and where that is."""

import json

import pytest
import yaml

from scripts.merge_adapter import copy_tokenizer, require_space
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


def test_a_packed_model_is_given_to_the_last_merge_alone_with_the_adapter_that_was_merged_before(tmp_path):
    model = str(write_model_folder(tmp_path / "model"))
    overlay = tmp_path / "own.yaml"
    overlay.write_text(yaml.safe_dump({"run": "own", "model": {"folder": model}, "sft": {"enabled": True}}))
    jobs = {job["rule"]: job for job in in_folder(ROOT, "tests.support.plans:list_commands", [str(overlay)])}
    first, last = (" ".join(jobs[rule]["words"]) for rule in ("merge_sft", "merge_adapter"))
    assert (
        f" --base {model} --base-manifest results/own/model.sha256 --sft-adapter results/own/sft/adapter --val" in last
    )
    assert " --base --base-manifest --sft-adapter --val" in first
    assert {"results/own/model.sha256", "results/own/sft/adapter.sha256"} <= set(jobs["merge_adapter"]["inputs"])


def test_a_disk_has_to_hold_the_merge_in_bfloat16_and_the_packed_one_beside_it(tmp_path):
    for name in ("model", "base"):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "model.safetensors").open("wb") as file:
            file.truncate(2**42)  # a hole, which takes no room
    with pytest.raises(SystemExit, match=r"GiB free, but the merge takes 8192\.0 GiB; make room, or let results/ be"):
        require_space([tmp_path / "model", tmp_path / "base"], tmp_path)


def test_a_disk_with_room_is_accepted(tmp_path):
    require_space([write_model_folder(tmp_path / "model")], tmp_path)
