"""train_dpo.py and train_adapter.py: what is passed on to swift and to SwanLab."""

import json
import socket
from pathlib import Path

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.gates import gate, put_gate
from pipeline.launch.contract import Contract
from pipeline.launch.on_nodes import free_port
from pipeline.training.command import tracking_of, training_command
from pipeline.training.publish import find_unjudged
from scripts.train_dpo import main, parse_arguments

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
    args = arguments(*flags, **options)
    return " ".join(training_command(args, ["rlhf"], (args.train, args.val), Path("k/digest")))


def test_flags_reach_swift_as_they_are():
    assert " --learning_rate 0.0004 --target_modules all-linear " in command(
        "--learning_rate", "0.0004", "--target_modules", "all-linear"
    )


def test_the_held_out_pairs_are_given_only_where_they_are_measured():
    assert "--val_dataset v.jsonl" in command("--eval_strategy", "epoch")
    assert "--val_dataset" not in command("--eval_strategy", "no")


def test_disabled_tracking_leaves_swanlab_out():
    assert "swanlab" not in command("--beta", "0.1", mode="disabled")
    assert tracking_of(arguments("--beta", "0.1", mode="disabled"), Path("k")) is None


def test_cloud_is_what_swanlab_calls_online(tmp_path):
    assert tracking_of(arguments("--beta", "0.1", mode="cloud"), tmp_path).mode == "online"


def test_a_training_that_goes_on_is_the_same_run_in_swanlab(tmp_path):
    first, second = (tracking_of(arguments("--beta", "0.1"), tmp_path).id for _ in range(2))
    assert first == second


def test_two_trainings_at_once_meet_at_two_ports():
    with socket.socket() as first:
        first.bind(("127.0.0.1", free_port()))
        assert free_port() != first.getsockname()[1]


def make_folder(folder):
    folder.mkdir(parents=True, exist_ok=True)


def no_model(*_):
    """Judge nothing: there is no model here, whose files would be hashed."""


def contract_of(environment):
    return Contract.read(Path(environment["TRAINING_CONTRACT"]))


def test_another_prompt_date_or_number_of_processes_starts_afresh(tmp_path, monkeypatch):
    folders = []

    def stop_before_training(arguments, environment, *_):
        folders.append(arguments[arguments.index("--output_dir") + 1])
        raise SystemExit

    monkeypatch.setattr("pipeline.training.train_adapter.judge_model", no_model)
    monkeypatch.setattr("pipeline.training.train_adapter.run_swift", stop_before_training)
    monkeypatch.setattr(
        "pipeline.training.train_adapter.claim_folder", make_folder
    )  # this process would have the first one for good
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


PINNED = [
    ([], ["--rlhf_type", "dpo", "--beta", "0.1", "--target_modules", "q_proj", "v_proj"], "beb660846df7"),
    (
        ["--sft-adapter", "sft/adapter", "--sft-manifest", "sft.sha256", "--fast", "packed_pairs"],
        ["--rlhf_type", "dpo", "--beta", "0.1"],
        "aff5cfa00b9c",
    ),
    ([], ["--rlhf_type", "kto", "--beta", "0.1"], "582f7754f87e"),
]


@pytest.mark.parametrize(("more", "flags", "digest"), PINNED)
def test_the_name_of_a_folder_of_checkpoints_is_the_same_in_every_release(tmp_path, monkeypatch, more, flags, digest):
    # Under another name, a training that was stopped before would start again, and so would one that has ended.
    found = []

    def stop_before_training(arguments, environment, *_):
        found.append(Path(arguments[arguments.index("--output_dir") + 1]))
        raise SystemExit

    monkeypatch.setattr("pipeline.training.train_adapter.judge_model", no_model)
    monkeypatch.setattr("pipeline.training.train_adapter.run_swift", stop_before_training)
    monkeypatch.chdir(tmp_path)
    pair = {"messages": [{"role": "assistant", "content": "Save"}], "rejected_response": "Store"}
    for name in ("m.sha256", "t.jsonl", "v.jsonl", "sft.sha256"):
        (tmp_path / name).write_text(json.dumps(pair | {"id": name}) + "\n", encoding="utf-8")
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    with pytest.raises(SystemExit):
        main([*options, *more, "--tracking-mode", "disabled", "--", *flags])
    assert found == [Path("k") / digest]


def test_kto_is_given_two_rows_for_each_pair(tmp_path, monkeypatch):
    given = {}

    def stop_before_training(arguments, environment, *_):
        given.update(contract=contract_of(environment), dataset=arguments[arguments.index("--dataset") + 1])
        raise SystemExit

    monkeypatch.setattr("pipeline.training.train_adapter.judge_model", no_model)
    monkeypatch.setattr("pipeline.training.train_adapter.run_swift", stop_before_training)
    monkeypatch.chdir(tmp_path)
    pair = {"messages": [{"role": "assistant", "content": "Save"}], "rejected_response": "Store"}
    for name in ("m.sha256", "t.jsonl", "v.jsonl"):
        (tmp_path / name).write_text(json.dumps(pair) + "\n", encoding="utf-8")
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    with pytest.raises(SystemExit):
        main([*options, "--tracking-mode", "disabled", "--", "--rlhf_type", "kto"])
    assert (given["contract"].train_rows, given["contract"].val_rows) == (2, 2)
    assert [row["label"] for row in read_json_lines(tmp_path / given["dataset"])] == [True, False]


def test_stacked_on_the_sft_adapter_the_reference_has_it_too(tmp_path, monkeypatch):
    given = {}

    def stop_before_training(arguments, environment, *_):
        given.update(command=" ".join(arguments), gates=contract_of(environment).gates)
        raise SystemExit

    monkeypatch.setattr("pipeline.training.train_adapter.judge_model", no_model)
    monkeypatch.setattr("pipeline.training.train_adapter.run_swift", stop_before_training)
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
        put_gate(contract_of(environment).gates_file, gate("first_loss", False, 7.03, 0.6931))
        raise SystemExit("swift rlhf stopped with status 1")

    monkeypatch.setattr("pipeline.training.train_adapter.run_swift", fail_a_gate)
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "t.jsonl", "v.jsonl"):
        (tmp_path / name).touch()
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    with pytest.raises(SystemExit) as stopped:
        main([*options, "--tracking-mode", "disabled", "--", "--beta", "0.1"])
    assert stopped.value.code == "g.json: first_loss is 7.03, expected 0.6931"
    assert not (tmp_path / "a.sha256").exists()


def test_a_gate_that_was_never_judged_has_failed():
    judged = ["lora_coverage", "reference", "first_grad_norm", "rows_trained"]
    rows = [gate(name, True, 1, 1) for name in judged]
    (missing,) = find_unjudged(rows, ["--rlhf_type", "dpo"], Path("checkpoints"))
    assert (missing["gate"], missing["passed"], missing["value"]) == ("first_loss", False, "missing")
    assert missing["expected"].endswith("delete checkpoints to train anew")
