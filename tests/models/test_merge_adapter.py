"""merge_adapter.py: what a merged model takes from the model as it is."""

import json

from scripts.merge_adapter import copy_tokenizer


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
