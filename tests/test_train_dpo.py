"""train_dpo.py and train_adapter.py: what is passed on to swift and to SwanLab."""

import json
import socket
from pathlib import Path

import pytest
from gates import gate, put_gate, write_gates
from json_lines import read_json_lines
from train_adapter import find_unjudged, free_port, tracking_environment, training_command
from train_dpo import main, parse_arguments

OPTIONS = {
    "model": "m",
    "model-manifest": "m.sha256",
    "train": "t.jsonl",
    "val": "v.jsonl",
    "adapter": "a",
    "manifest": "a.sha256",
    "curves": "c.jsonl",
    "coverage": "l.csv",
    "settings": "s.json",
    "gates": "g.json",
    "gate-settings": '{"collapse": "report", "loss_share": 0.02, "chosen_fall": 20}',
    "checkpoints": "k",
    "machine": "machine.json",
    "speed": "speed.jsonl",
    "gpus": "0",
    "cpu-processes": "2",
    "prompt-date": "2026-01-01",
    "run": "tiny",
    "tracking-project": "p",
    "tracking-folder": "w",
}


def write_model(folder: Path) -> None:
    """Write an empty model and its manifest."""
    (folder / OPTIONS["model"]).mkdir()
    (folder / OPTIONS["model-manifest"]).write_text("", encoding="utf-8")


def arguments(*flags: str, mode: str = "offline"):
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    return parse_arguments([*options, "--tracking-mode", mode, "--", *flags])


def command(*flags: str, **options: str) -> str:
    return " ".join(training_command(arguments(*flags, **options), ["rlhf"], "k/digest"))


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


def make_folder(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "lock"


def test_another_prompt_date_or_number_of_processes_starts_afresh(tmp_path, monkeypatch):
    folders = []

    def stop_before_training(arguments, environment, *_):
        folders.append(arguments[arguments.index("--output_dir") + 1])
        raise SystemExit

    monkeypatch.setattr("train_adapter.run_swift", stop_before_training)
    monkeypatch.setattr("train_adapter.claim_folder", make_folder)  # this process would have the first one for good
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


def test_kto_is_given_two_rows_for_each_pair(tmp_path, monkeypatch):
    given = {}

    def stop_before_training(arguments, environment, *_):
        given.update(environment, dataset=arguments[arguments.index("--dataset") + 1])
        raise SystemExit

    monkeypatch.setattr("train_adapter.run_swift", stop_before_training)
    monkeypatch.chdir(tmp_path)
    pair = {"messages": [{"role": "assistant", "content": "Save"}], "rejected_response": "Store"}
    for name in ("m.sha256", "t.jsonl", "v.jsonl"):
        (tmp_path / name).write_text(json.dumps(pair) + "\n", encoding="utf-8")
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    with pytest.raises(SystemExit):
        main([*options, "--tracking-mode", "disabled", "--", "--rlhf_type", "kto"])
    assert (given["TRAIN_ROWS"], given["VAL_ROWS"]) == ("2", "2")
    assert [row["label"] for row in read_json_lines(tmp_path / given["dataset"])] == [True, False]


def test_stacked_on_the_sft_adapter_the_reference_has_it_too(tmp_path, monkeypatch):
    given = {}

    def stop_before_training(arguments, environment, *_):
        given.update(command=" ".join(arguments), gates=json.loads(environment["GATES"]))
        raise SystemExit

    monkeypatch.setattr("train_adapter.run_swift", stop_before_training)
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "t.jsonl", "v.jsonl", "sft.sha256"):
        (tmp_path / name).touch()
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    options += ["--sft-adapter", "sft/adapter", "--sft-manifest", "sft.sha256", "--tracking-mode", "disabled"]
    with pytest.raises(SystemExit):
        main([*options, "--", "--rlhf_type", "dpo"])
    assert given["command"].startswith("rlhf --adapters sft/adapter --ref_adapters sft/adapter --model m ")
    assert given["gates"]["reference"] == "m, with the SFT adapter"


def test_a_training_whose_gate_failed_ends_with_that_gate_and_not_with_swifts_words(tmp_path, monkeypatch):
    def fail_a_gate(arguments, environment, *_):
        put_gate(Path(environment["GATES_FILE"]), gate("first_loss", False, 7.03, 0.6931))
        raise SystemExit("swift rlhf stopped with status 1")

    monkeypatch.setattr("train_adapter.run_swift", fail_a_gate)
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "t.jsonl", "v.jsonl"):
        (tmp_path / name).touch()
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    with pytest.raises(SystemExit) as stopped:
        main([*options, "--tracking-mode", "disabled", "--", "--beta", "0.1"])
    assert stopped.value.code == "g.json: first_loss is 7.03, expected 0.6931"
    assert not (tmp_path / "a.sha256").exists()


def test_a_gate_that_was_never_judged_has_failed(tmp_path):
    args = arguments("--rlhf_type", "dpo")
    args.gates = tmp_path / "gates.json"
    judged = ["lora_coverage", "reference", "first_grad_norm", "rows_trained"]
    write_gates(args.gates, [gate(name, True, 1, 1) for name in judged])
    (missing,) = find_unjudged(args, tmp_path / "checkpoints" / "digest")
    assert (missing["gate"], missing["passed"], missing["value"]) == ("first_loss", False, "missing")
    assert missing["expected"].endswith(f"delete {tmp_path}/checkpoints to train anew")
