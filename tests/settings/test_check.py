"""settings/check.py: what is refused, and how it says so."""

import re
from pathlib import Path

import pytest

from pipeline.settings.check import (
    CONFIG,
    check_config,
    find_problems,
    list_keys,
    load_config,
    load_schema,
    merge,
    value_at,
)


def problems_of(**sections) -> list[str]:
    return find_problems(merge(load_config([]), sections))


def test_config_yaml_can_be_used():
    assert problems_of() == []


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        (
            {"dpo": {"lerning_rate": 0.1}},
            "dpo.lerning_rate: unknown setting; did you mean dpo.learning_rate?",
        ),
        ({"trian": {}}, "trian: unknown setting; did you mean train?"),
        ({"dpo": {"gpus": 4}}, "dpo.gpus: unknown setting; did you mean train.gpus?"),
        ({"zzz": 1}, "zzz: unknown setting; see docs/configuration.md"),
        (
            {"dpo": {"learning_rate": "4e-4"}},
            "dpo.learning_rate: '4e-4' is text, not a number; write 0.0004",
        ),
        (
            {"dpo": {"adam_epsilon": "1e-8"}},
            "dpo.adam_epsilon: '1e-8' is text, not a number; write 1.0e-08",
        ),
        (
            {"train": {"gpus": "four"}},
            "train.gpus: 'four' is not of type 'integer'; see docs/configuration.md",
        ),
        (
            {"data": {"val_fraction": 1.5}},
            "data.val_fraction: 1.5 is greater than or equal to the maximum of 1; see docs/configuration.md",
        ),
        (
            {"tracking": {"mode": "online"}},
            "tracking.mode: 'online' is not one of ['offline', 'local', 'cloud', 'disabled']; "
            "see docs/configuration.md",
        ),
        ({"dpo": {"beta": float("nan")}}, "dpo.beta: nan is not a finite number; write one"),
        ({"infer": {"shards": 2.0}}, "infer.shards: 2.0 is not written as a whole number; write 2"),
        (
            {"prompt": {"date": "2026-02-30"}},
            "prompt.date: is not a day of the calendar (day is out of range for month); write one that is",
        ),
        (
            {"prompt": {"date": "٢٠٢٦-٠١-٠١"}},
            "prompt.date: '٢٠٢٦-٠١-٠١' does not have the form ^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        ),
        ({"data": {"columns": {1: "prompt"}}}, "data.columns: 1 is not of type 'string'; see docs/configuration.md"),
        ({"run": "My Run"}, "run: 'My Run' does not have the form ^[a-z0-9][a-z0-9.-]*$"),
        (
            {"model": {"tiny": {"key_value_heads": 3}}},
            "model.tiny.key_value_heads: must divide model.tiny.attention_heads",
        ),
        (
            {"data": {"columns": {"ask": "prompt", "text": "prompt"}}},
            "data.columns: two keys are prompt; keep one of them",
        ),
        (
            {"model": {"tiny": {"experts": 4, "experts_per_token": 5}}},
            "model.tiny.experts_per_token: must not exceed model.tiny.experts",
        ),
        (
            {"model": {"random": True, "folder": "models/gpt-oss-20b"}},
            "model.random: not used if model.folder names a model; set model.random to false, or model.folder to null",
        ),
        (
            {"dpo": {"target_parameters": ["mlp.experts.down_proj"], "lora_dropout": 0.1}},
            "dpo.lora_dropout: must be 0 with dpo.target_parameters; a LoRA of bare parameters has no dropout",
        ),
        (
            {"sft": {"join": "stacked"}, "dpo": {"rlhf_type": "orpo", "loss_type": None, "rpo_alpha": None}},
            "sft.join: stacked needs a reference model, and this dpo.rlhf_type has none; set merged",
        ),
        (
            {"dpo": {"save_strategy": "epoch", "save_steps": 5}},
            "dpo.save_steps: must be a number with dpo.save_strategy steps, and null with epoch",
        ),
        (
            {"dpo": {"save_strategy": "steps", "save_steps": None}},
            "dpo.save_steps: must be a number with dpo.save_strategy steps, and null with epoch",
        ),
        (
            {"data": {"raw": [{"file": "a.jsonl", "limit": 0}]}},
            "data.raw.0.limit: 0 is less than the minimum of 1; see docs/configuration.md",
        ),
        ({"data": {"raw": [{"limit": 5}]}}, "data.raw.0: file missing; config.yaml has the usual value"),
        ({"data": {"raw": []}}, "data.raw: [] should be non-empty; see docs/configuration.md"),
        (
            {"data": {"val": "val.jsonl", "split_by_tag": True}},
            "data.split_by_tag: not used with data.val, which is held out whole; set it to false, or data.val to null",
        ),
        (
            {"data": {"val": "val.jsonl", "val_max": 5}},
            "data.val_max: not used with data.val, which is held out whole; set it to null, or data.val",
        ),
        (
            {"data": {"split_by_tag": True, "val_max": 5}},
            "data.val_max: not used with data.split_by_tag; set it to null, or data.split_by_tag to false",
        ),
        (
            {"data": {"val_overlap": "drop"}},
            "data.val_overlap: drop is only used with data.val; name its pairs there, or set stop",
        ),
        (
            {"tracking": {"host": "https://swanlab.example.org"}},
            "tracking.host: only used with tracking.mode cloud; set that mode, or tracking.host to null",
        ),
    ],
)
def test_a_bad_setting_is_named_with_its_fix(sections, problem):
    assert problems_of(**sections) == [problem]


@pytest.mark.parametrize(
    "sections",
    [
        {"model": {"tiny": {"experts": 4, "experts_per_token": 4}}},
        {"model": {"random": True}},
        {"model": {"folder": "models/gpt-oss-20b"}},
        {"dpo": {"target_parameters": ["mlp.experts.down_proj"], "lora_dropout": 0}},
        {"dpo": {"target_parameters": None, "lora_dropout": 0.1}},
        {"sft": {"join": "stacked"}},
        {"data": {"raw": ["a.jsonl", {"file": "b.jsonl", "limit": 5}]}},
        {"data": {"val": "val.jsonl", "val_overlap": "drop"}},
        {"dpo": {"save_strategy": "steps", "save_steps": 5}},
    ],
    ids=str,
)
def test_settings_that_go_together_can_be_used(sections):
    assert problems_of(**sections) == []


@pytest.mark.parametrize("text", ["x" * 100_000, "'" * 25_000, "保" * 40_000], ids=["plain", "quotes", "Chinese"])
def test_a_text_that_no_command_has_room_for_is_named_with_its_size(text):
    (problem,) = problems_of(data={"system": text})
    assert re.match(
        r"data\.system: has [\d,]+ bytes, and all settings [\d,]+, which a command has no room for", problem
    )


def test_a_long_text_that_a_command_has_room_for_can_be_used():
    assert problems_of(data={"system": "x" * 90_000}) == []


def test_a_missing_setting_is_named():
    config = load_config([])
    del config["dpo"]["beta"]
    assert find_problems(config) == ["dpo: beta missing; config.yaml has the usual value"]


def test_the_file_with_the_fault_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("dpo: {bta: 0.2}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        check_config(load_config([overlay]), [CONFIG, overlay])
    assert str(stop.value) == "mine.yaml: dpo.bta: unknown setting; did you mean dpo.beta?"


def test_of_two_files_with_the_fault_the_last_one_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overlays = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for overlay in overlays:
        overlay.write_text("dpo: {bta: 0.2}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^two\.yaml: dpo\.bta"):
        check_config(load_config(overlays), [CONFIG, *overlays])


def test_a_file_with_a_section_that_stands_twice_is_refused_though_the_merged_settings_are_right(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("dpo:\n  beta: 0.2\ndpo:\n  seed: 1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"mine\.yaml:3: dpo stands a second time, after line 1; keep one of them$"):
        check_config(merge(load_config([]), {"dpo": {"seed": 1}}), [CONFIG, overlay])


@pytest.mark.parametrize(
    ("data", "fault"),
    [(None, "No such file or directory"), (b"\xff", "byte 1 is not UTF-8"), (b"a: [", ":1: expected")],
    ids=["missing", "not UTF-8", "not YAML"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, data, fault):
    overlay = tmp_path / "mine.yaml"
    if data is not None:
        overlay.write_bytes(data)
    with pytest.raises(SystemExit, match=rf"mine\.yaml:? ?{re.escape(fault)}"):
        load_config([overlay])


def test_a_fault_of_the_command_line_is_not_blamed_on_a_file():
    with pytest.raises(SystemExit) as stop:
        check_config(merge(load_config([]), {"dpo": {"beta": "0.2"}}), [CONFIG])
    assert str(stop.value) == (
        "--config: dpo.beta: '0.2' is text, as all that Snakemake reads there in braces; write the setting into a "
        "file, and name that with --configfile"
    )


def test_a_fault_of_a_file_is_not_blamed_on_the_command_line(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("dpo: {beta: .nan}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"mine\.yaml: dpo\.beta: nan is not a finite number; write one"):
        check_config(load_config([overlay]), [CONFIG, overlay])


def test_a_sweep_of_the_command_line_is_not_blamed_on_a_file():
    with pytest.raises(SystemExit, match=r"^--config: sweep: point beta=x: dpo\.beta: 'x' is text"):
        check_config(merge(load_config([]), {"sweep": {"grid": {"dpo.beta": ["x"]}}}), [CONFIG])


def test_every_setting_has_a_description():
    def undescribed(schema, prefix=""):
        for name, part in schema.get("properties", {}).items():
            if not part.get("description"):
                yield f"{prefix}{name}"
            yield from undescribed(part, f"{prefix}{name}.")

    assert list(undescribed(load_schema())) == []


def test_every_number_has_a_range():
    def unbounded(schema, prefix=""):
        for name, part in schema.get("properties", {}).items():
            types = part.get("type", [])
            number = {"number", "integer"} & set([types] if isinstance(types, str) else types)
            if number and not {"minimum", "exclusiveMinimum"} & set(part):
                yield f"{prefix}{name}"
            yield from unbounded(part, f"{prefix}{name}.")

    assert list(unbounded(load_schema())) == []


def test_every_section_refuses_unknown_settings():
    def open_sections(schema, name="settings"):
        if schema.get("properties"):
            if schema.get("additionalProperties") is not False:
                yield name
            for key, part in schema["properties"].items():
                yield from open_sections(part, key)

    assert list(open_sections(load_schema())) == []


def test_config_yaml_holds_every_setting():
    def held(values, prefix=""):
        for key, value in values.items():
            yield f"{prefix}{key}"
            if isinstance(value, dict):
                yield from held(value, f"{prefix}{key}.")

    config = load_config([])
    known = [key for key in list_keys(load_schema()) if value_at(config, key.split(".")[:-1]) is not None]
    assert sorted(held(config)) == sorted(known)
