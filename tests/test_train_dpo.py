"""train_dpo.py: what is passed on to swift and to SwanLab."""

from train_dpo import parse_arguments, tracking_environment, training_command

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
