"""train_dpo.py: what is passed on, what is resumed, and what the curves hold."""

import json

from train_dpo import (
    newest_checkpoint,
    parse_arguments,
    read_curves,
    run_digest,
    tracking_environment,
    training_command,
)

OPTIONS = {
    "model": "m",
    "model-manifest": "m.sha256",
    "train": "t.jsonl",
    "val": "v.jsonl",
    "adapter": "a",
    "manifest": "a.sha256",
    "curves": "c.jsonl",
    "settings": "s.json",
    "checkpoints": "k",
    "gpus": "0",
    "cpu-processes": "2",
    "prompt-date": "2026-01-01",
    "run": "tiny",
    "tracking-project": "p",
    "tracking-folder": "w",
}


def arguments(*flags: str, mode: str = "offline"):
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    return parse_arguments([*options, "--tracking-mode", mode, "--", *flags])


def command(*flags: str, **options: str) -> str:
    return " ".join(training_command(arguments(*flags, **options), "k/digest"))


def test_flags_reach_swift_as_they_are():
    assert " --learning_rate 0.0004 --target_modules all-linear " in command(
        "--learning_rate", "0.0004", "--target_modules", "all-linear"
    )


def test_the_held_out_pairs_are_given_only_where_they_are_measured():
    assert "--val_dataset v.jsonl" in command("--eval_strategy", "epoch")
    assert "--val_dataset" not in command("--eval_strategy", "no")


def test_disabled_tracking_leaves_swanlab_out():
    assert "swanlab" not in command("--beta", "0.1", mode="disabled")
    assert tracking_environment(arguments("--beta", "0.1", mode="disabled")) == {}


def test_cloud_is_what_swanlab_calls_online():
    assert tracking_environment(arguments("--beta", "0.1", mode="cloud"))["TRACKING_MODE"] == "online"


def test_a_checkpoint_is_looked_for_under_its_own_settings_and_data(tmp_path):
    data = tmp_path / "train.jsonl"
    data.write_text("a", encoding="utf-8")
    first = run_digest(["--beta", "0.1"], data)
    assert first == run_digest(["--beta", "0.1"], data)
    assert first != run_digest(["--beta", "0.2"], data)
    data.write_text("b", encoding="utf-8")
    assert first != run_digest(["--beta", "0.1"], data)


def test_the_newest_whole_checkpoint_is_resumed(tmp_path):
    for step in (5, 10, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (5, 10):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").touch()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert newest_checkpoint(tmp_path / "nothing") is None


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
