"""training/record.py: what is resumed, and what is published."""

import json

import pytest

from pipeline.files.json_files import run_digest
from pipeline.training.record import copy_adapter, differing_flags, read_curves, read_settings
from tests.support.odd_folders import ODD_FOLDERS


def test_a_checkpoint_is_looked_for_under_its_own_settings_and_data(tmp_path):
    data = tmp_path / "train.jsonl"
    data.write_text("a", encoding="utf-8")
    first = run_digest(["--beta", "0.1"], data)
    assert first == run_digest(["--beta", "0.1"], data)
    assert first != run_digest(["--beta", "0.2"], data)
    data.write_text("b", encoding="utf-8")
    assert first != run_digest(["--beta", "0.1"], data)


def test_each_file_of_a_checkpoint_is_part_of_its_name(tmp_path):
    files = [tmp_path / name for name in ("train.jsonl", "val.jsonl", "model.sha256")]
    for path in files:
        path.write_text("a", encoding="utf-8")
    names = [run_digest([], *files)]
    for path in files:
        path.write_text("b", encoding="utf-8")
        names.append(run_digest([], *files))
    assert len(set(names)) == len(names)


def test_curves_hold_each_step_once_and_no_times(tmp_path):
    log = tmp_path / "logging.jsonl"
    rows = [
        {"loss": 0.7, "global_step/max_steps": "1/9", "elapsed_time": "3s", "train_speed(s/it)": 3.0},
        {"loss": 0.6, "global_step/max_steps": "5/9"},
        {"eval_loss": 0.5, "eval_runtime": 4.2, "eval_samples_per_second": 9, "global_step/max_steps": "5/9"},
        {"loss": 0.61, "global_step/max_steps": "5/9"},
        {"train_runtime": 99.0, "global_step/max_steps": "9/9"},
        {"last_model_checkpoint": "x"},
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read_curves(log) == [{"step": 1, "loss": 0.7}, {"step": 5, "loss": 0.61}, {"step": 5, "eval_loss": 0.5}]


def test_settings_do_not_tell_where_the_clone_lies_or_where_a_stopped_run_went_on(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.record.PACKAGES", ())  # they are in the training environment
    monkeypatch.chdir(tmp_path)
    written = []
    for resumed in (None, f"{tmp_path}/results/checkpoint-30"):
        arguments = {
            "output_dir": f"{tmp_path}/results",
            "resume_from_checkpoint": resumed,
            "training_args": f"DPOConfig(seed=42, resume_from_checkpoint={resumed!r}, beta=0.1)",
        }
        (tmp_path / "args.json").write_text(json.dumps(arguments), encoding="utf-8")
        written.append(read_settings(tmp_path, ["rlhf"], {}, {})["arguments"])
    assert written[0] == written[1]
    assert written[0] == {
        "output_dir": "results",
        "resume_from_checkpoint": None,
        "training_args": "DPOConfig(seed=42, resume_from_checkpoint=None, beta=0.1)",
    }


@pytest.mark.parametrize("name", ODD_FOLDERS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_settings_are_the_same_whatever_the_folder_of_the_project_is_called(tmp_path, monkeypatch, name, ascii_only):
    monkeypatch.setattr("pipeline.training.record.PACKAGES", ())
    project = tmp_path / name
    checkpoint = project / "results" / "0123456789ab" / "checkpoint-9"
    checkpoint.mkdir(parents=True)
    monkeypatch.chdir(project)
    place = checkpoint.parent
    arguments = {
        "output_dir": str(place),
        "system": "Don't say '' or 'no'.",
        "resume_from_checkpoint": str(checkpoint),
        "model_info": {"folders": [str(project / "models"), None, 1]},
        "training_args": f"DPOConfig(output_dir={str(place)!r}, resume_from_checkpoint={str(checkpoint)!r}, "
        f"optim=<Optim.A: 'a'>, logging_dir={str(place / 'runs')!r}, system={'it' + chr(39) + 's'!r})",
    }
    (checkpoint / "args.json").write_text(json.dumps(arguments, ensure_ascii=ascii_only), encoding="utf-8")
    assert read_settings(checkpoint, ["rlhf", "--output_dir", "results/0123456789ab"], {}, {}) == {
        "command": ["swift", "rlhf", "--output_dir", "results"],
        "environment": {},
        "contract": {},
        "versions": {},
        "arguments": {
            "output_dir": "results",
            "system": "Don't say '' or 'no'.",
            "resume_from_checkpoint": None,
            "model_info": {"folders": ["models", None, 1]},
            "training_args": "DPOConfig(output_dir='results', resume_from_checkpoint=None, "
            """optim=<Optim.A: 'a'>, logging_dir='results/runs', system="it's")""",
        },
    }


def test_the_adapter_is_the_same_bytes_whatever_the_order_of_its_modules(tmp_path):
    written = []
    for order in (["q_proj", "k_proj"], ["k_proj", "q_proj"]):
        checkpoint = tmp_path / order[0]
        checkpoint.mkdir()
        (checkpoint / "adapter_model.safetensors").write_bytes(b"weights")
        config = {"target_modules": order, "base_model_name_or_path": str(checkpoint)}
        (checkpoint / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        copy_adapter(checkpoint, tmp_path / "adapter", "models/gpt-oss")
        written.append((tmp_path / "adapter" / "adapter_config.json").read_bytes())
    assert written[0] == written[1]
    assert json.loads(written[0]) == {
        "target_modules": ["k_proj", "q_proj"],
        "base_model_name_or_path": "models/gpt-oss",
    }


def test_a_flag_that_ms_swift_made_something_else_of_is_named():
    flags = ["--beta", "0.10", "--deepspeed", "zero3", "--bf16", "false", "--target_modules", "q_proj", "v_proj"]
    zero3 = {"zero_optimization": {"stage": 3}}
    in_force = {"beta": 0.1, "deepspeed": zero3, "bf16": False, "target_modules": ["q_proj", "v_proj"]}
    assert differing_flags(flags, in_force) == []
    assert differing_flags(["--deepspeed", "zero3_offload"], in_force) == []
    assert differing_flags(flags, in_force | {"bf16": None}) == ["bf16: false became None"]
    assert differing_flags(["--model_name=-x=y", "--beta", "0.1"], in_force | {"model_name": ["-x=y"]}) == []
    assert differing_flags(["--betta", "1"], in_force) == ["betta: 1 became unknown"]
    assert differing_flags(["--deepspeed", "zero2"], in_force) == [f"deepspeed: zero2 became {zero3}"]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (['{"a": 1}'], {"a": 2}),
        (['{"a": 1}'], {"a": 1, "b": 2}),
        (["q_proj"], ["q_proj", "v_proj"]),
        (["q_proj", "v_proj"], ["q_proj"]),
        (["q_proj", "v_proj"], "q_proj"),
        (["q_proj"], []),
    ],
)
def test_a_table_or_a_list_of_which_a_part_differs_is_named(words, value):
    assert differing_flags(["--flag", *words], {"flag": value}) == [f"flag: {' '.join(words)} became {value}"]


def test_a_table_is_the_same_in_any_order():
    assert differing_flags(["--flag", '{"a": 1, "b": 2}'], {"flag": {"b": 2, "a": 1}}) == []
