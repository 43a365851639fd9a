"""train_dpo.py: what is passed on to swift and to SwanLab."""

import socket

import pytest
from train_dpo import free_port, main, parse_arguments, tracking_environment, training_command

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


def test_two_trainings_at_once_meet_at_two_ports():
    with socket.socket() as first:
        first.bind(("127.0.0.1", free_port()))
        assert free_port() != first.getsockname()[1]


def test_another_prompt_date_or_number_of_processes_starts_afresh(tmp_path, monkeypatch):
    folders = []

    def stop_before_training(arguments, environment):
        folders.append(arguments[arguments.index("--output_dir") + 1])
        raise SystemExit

    monkeypatch.setattr("train_dpo.require_gpus", lambda count, setting: None)
    monkeypatch.setattr("train_dpo.run_swift", stop_before_training)
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "t.jsonl", "v.jsonl"):
        (tmp_path / name).touch()
    changes = [{}, {}, {"prompt-date": "2026-01-02"}, {"cpu-processes": "4"}]
    for change in changes:
        options = [word for name, value in (OPTIONS | change).items() for word in (f"--{name}", value)]
        with pytest.raises(SystemExit):
            main([*options, "--tracking-mode", "disabled", "--", "--beta", "0.1"])
    assert folders[0] == folders[1]
    assert len(set(folders)) == 3
