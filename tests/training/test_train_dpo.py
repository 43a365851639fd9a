"""train_dpo.py and train_sft.py: what is passed on to swift and to SwanLab, and where everything goes."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.gates import gate, put_gate
from pipeline.graph.list_jobs import list_jobs
from pipeline.launch.contract import Contract
from pipeline.launch.on_nodes import free_port
from pipeline.training.command import tracking_of, training_command
from pipeline.training.publish import RESULTS
from pipeline.training.training import Training
from scripts import train_sft
from scripts.train_dpo import main, read_training

PATHS = ["--model", "m", "--manifest", "m.sha256", "--pairs", "t.jsonl", "v.jsonl", "--checkpoints", "k"]
GATES = {"collapse": "report", "loss_share": 0.02, "chosen_fall": 20}
TRAIN = {"nodes": 1, "gpus": 0, "cpu_processes": 2, "small": {"experts_at_once": None, "host_embeddings": False}}
PAIR = {"messages": [{"role": "assistant", "content": "Save"}], "rejected_response": "Store"}


def arguments(
    dpo: dict[str, Any] | None = None,
    *more: str,
    mode: str = "disabled",
    date: str = "2026-01-01",
    effort: str = "medium",
    train: dict[str, Any] | None = None,
) -> list[str]:
    """Return the command line of a training with these settings of `dpo`."""
    settings = {
        "dpo": {"beta": 0.1} if dpo is None else dpo,
        "train": TRAIN | (train or {}),
        "gates": GATES,
        "prompt": {"date": date, "reasoning_effort": effort},
        "tracking": {"mode": mode, "project": "p", "host": None},
    }
    return ["--settings", json.dumps(settings), *PATHS, "--out", "tiny/dpo", *more]


def training(dpo: dict[str, Any] | None = None, mode: str = "offline") -> Training:
    return read_training(arguments(dpo, mode=mode))


def command(dpo: dict[str, Any], mode: str = "offline") -> str:
    asked = training(dpo, mode)
    return " ".join(training_command(asked, asked.pairs, Path("k/digest")))


def test_settings_reach_swift_as_flags():
    assert " --learning_rate 0.0004 --target_modules all-linear " in command(
        {"learning_rate": 0.0004, "target_modules": ["all-linear"]}
    )


def test_the_held_out_pairs_are_given_only_where_they_are_measured():
    assert "--val_dataset v.jsonl" in command({"eval_strategy": "epoch"})
    assert "--val_dataset" not in command({"eval_strategy": "no"})


def test_disabled_tracking_leaves_swanlab_out():
    assert "swanlab" not in command({"beta": 0.1}, mode="disabled")
    assert tracking_of(training(mode="disabled"), Path("k")) is None


def test_cloud_is_what_swanlab_calls_online(tmp_path):
    assert tracking_of(training(mode="cloud"), tmp_path).mode == "online"


def test_a_training_that_goes_on_is_the_same_run_in_swanlab(tmp_path):
    first, second = (tracking_of(training(), tmp_path).id for _ in range(2))
    assert first == second


def test_what_differs_from_run_to_run_goes_beside_the_results_under_the_name_of_the_run():
    dpo = training({"rlhf_type": "dpo"})
    assert (dpo.run, str(dpo.swanlab)) == ("tiny", "tiny/swanlab")
    assert str(dpo.machine) == "tiny/logs/train_dpo.machine.json"
    assert str(dpo.speed) == "tiny/logs/train_dpo.speed.jsonl"
    sft = Training("train_sft", {"dpo": {}}, Path("m"), Path("m.sha256"), [], Path("k"), Path("tiny/sft"))
    assert (sft.run, str(sft.machine)) == ("tiny-sft", "tiny/logs/train_sft.machine.json")


@pytest.mark.parametrize("rule", ["train_dpo", "train_sft"])
def test_the_results_in_the_folder_are_those_that_the_rule_declares(rule):
    (job,) = [job for job in list_jobs([], {"sft": {"enabled": True}}) if job.rule == rule]
    folder = f"results/tiny/{rule.removeprefix('train_')}"
    declared = {Path(file) for file in (*job.outputs, *job.accounts) if Path(file).is_relative_to(folder)}
    assert declared == {Path(folder) / name for name in RESULTS.values()}


def test_two_trainings_at_once_meet_at_two_ports():
    with socket.socket() as first:
        first.bind(("127.0.0.1", free_port()))
        assert free_port() != first.getsockname()[1]


def contract_of(environment):
    return Contract.read(Path(environment["TRAINING_CONTRACT"]))


@pytest.fixture
def start(tmp_path, monkeypatch) -> Callable[..., list[str]]:
    """Return a function that starts a training in an empty folder, and returns the arguments that swift is given.

    There is no model whose files could be hashed, and so none is judged. The last contract is kept in `contract`.
    """
    monkeypatch.setattr("pipeline.training.train_adapter.judge_model", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "t.jsonl", "v.jsonl", "sft/adapter.sha256"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(PAIR | {"id": "sft.sha256" if "sft" in name else name}) + "\n", encoding="utf-8")

    def run(options: list[str], main: Callable[[list[str]], None] = main) -> list[str]:
        given: list[str] = []

        def stop_before_training(words, environment, *_):
            given.extend(words)
            run.contract = contract_of(environment)
            raise SystemExit

        monkeypatch.setattr("pipeline.training.train_adapter.run_swift", stop_before_training)
        with pytest.raises(SystemExit):
            main(options)
        return given

    return run


def value_of(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def make_folder(folder):
    folder.mkdir(parents=True, exist_ok=True)


def test_another_prompt_or_number_of_processes_starts_afresh(start, monkeypatch):
    # This process would have the first folder for good.
    monkeypatch.setattr("pipeline.training.train_adapter.claim_folder", make_folder)
    changes = [{}, {}, {"date": "2026-01-02"}, {"effort": "low"}, {"train": {"cpu_processes": 4}}]
    folders = [value_of(start(arguments(**change)), "--output_dir") for change in changes]
    assert folders[0] == folders[1]
    assert len(set(folders)) == 4


STACKED = ["--sft-adapter", "sft/adapter"]
PACKED = {"fast": {"packed_pairs": True, "compiled_layers": False}}
PINNED = [
    (
        arguments({"rlhf_type": "dpo", "beta": 0.1, "loss_weights": None, "target_modules": ["q_proj", "v_proj"]}),
        "beb660846df7",
    ),
    (arguments({"rlhf_type": "dpo", "beta": 0.1}, *STACKED, train=PACKED), "aff5cfa00b9c"),
    (arguments({"rlhf_type": "kto", "beta": 0.1}), "582f7754f87e"),
]


@pytest.mark.parametrize(("options", "digest"), PINNED)
def test_the_name_of_a_folder_of_checkpoints_is_the_same_in_every_release(start, options, digest):
    # Under another name, a training that was stopped before would start again, and so would one that has ended.
    assert value_of(start(options), "--output_dir") == f"k/{digest}"


def test_kto_is_given_two_rows_for_each_pair(start, tmp_path):
    words = start(arguments({"rlhf_type": "kto"}))
    assert (start.contract.train_rows, start.contract.val_rows) == (2, 2)
    assert [row["label"] for row in read_json_lines(tmp_path / value_of(words, "--dataset"))] == [True, False]


def test_held_out_rows_that_are_not_measured_are_not_counted(start):
    start(arguments({"rlhf_type": "dpo", "eval_strategy": "no"}))
    assert (start.contract.train_rows, start.contract.val_rows) == (1, 0)


def test_stacked_on_the_sft_adapter_the_reference_has_it_too(start):
    words = start(arguments({"rlhf_type": "dpo"}, *STACKED))
    assert " ".join(words).startswith("rlhf --adapters sft/adapter --ref_adapters sft/adapter --model m ")
    assert start.contract.gates["reference"] == "m, with the SFT adapter"


def test_sft_is_a_training_without_a_reference(start):
    words = start(arguments({"learning_rate": 0.0001}), train_sft.main)
    assert words[:3] == ["sft", "--model", "m"]
    assert start.contract.gates["reference"] == "none"
    assert start.contract.gates["asked"] == {"rlhf_type": "sft", "init_weights": None}


def test_what_the_reference_says_is_kept_only_where_its_lever_is_on(start, monkeypatch):
    monkeypatch.setattr("pipeline.training.train_adapter.claim_folder", make_folder)
    shared = ["--reference", "shared/reference"]
    start(arguments({"rlhf_type": "dpo"}, *shared))
    assert start.contract.reference_folder is None
    start(arguments({"rlhf_type": "dpo"}, *shared, train={"fast": {"cached_reference": True}}))
    assert Path(start.contract.reference_folder).parent == Path("shared/reference")


def test_a_training_whose_gate_failed_ends_with_that_gate_and_not_with_swifts_words(tmp_path, monkeypatch):
    def fail_a_gate(words, environment, *_):
        put_gate(contract_of(environment).gates_file, gate("first_loss", False, 7.03, 0.6931))
        raise SystemExit("swift rlhf stopped with status 1")

    monkeypatch.setattr("pipeline.training.train_adapter.run_swift", fail_a_gate)
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "t.jsonl", "v.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit) as stopped:
        main(arguments())
    assert stopped.value.code == "tiny/dpo/gates.json: first_loss is 7.03, expected 0.6931"
    assert not (tmp_path / "tiny" / "dpo" / "adapter.sha256").exists()
