"""training/machine.py: what is recorded of the machine, the time and the code, and what is not."""

import getpass
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from pipeline.files.hide_private import private_places
from pipeline.files.json_lines import read_json_lines
from pipeline.training.machine import (
    COMMAND,
    describe_command,
    list_gpu_names,
    name_processor,
    note_start,
    write_machine,
    write_speed,
)

WHO = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Return a git repository with a commit, the working folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(COMMAND, raising=False)
    for words in (["init", "--quiet"], [*WHO, "commit", "--quiet", "--allow-empty", "--message", "first"]):
        subprocess.run(["git", *words], check=True)
    return tmp_path


def record(folder: Path) -> dict:
    start = note_start()
    write_machine(folder / ".git" / "machine.json", start, nodes=1, gpus=0)
    return json.loads((folder / ".git" / "machine.json").read_text(encoding="utf-8"))


def uncommitted(said: dict) -> tuple[bool, list[str], list[str]]:
    return said["uncommitted_changes"], said["changed_files"], said["untracked_files"]


def test_the_commit_is_recorded(clone):
    assert re.fullmatch("[0-9a-f]{40}", record(clone)["commit"])


def test_files_that_change_no_result_are_no_uncommitted_change(clone):
    for name in ("notes.txt", "my pairs.jsonl", "other.yaml"):
        (clone / name).touch()
    assert uncommitted(record(clone)) == (False, [], [])


def test_an_overlay_and_code_that_git_does_not_track_are_named(clone, monkeypatch):
    (clone / "own metric.py").touch()
    (clone / "mine 2.yaml").touch()
    monkeypatch.setenv(COMMAND, describe_command([clone / "mine 2.yaml", Path("/elsewhere/other.yaml")], ["run=x"]))
    assert uncommitted(record(clone)) == (True, [], ["mine 2.yaml", "other.yaml", "own metric.py"])


def test_a_tracked_file_that_was_changed_is_named_and_a_tracked_overlay_is_not(clone, monkeypatch):
    monkeypatch.setenv(COMMAND, describe_command([clone / "mine.yaml"], []))
    for name in ("mine.yaml", "größe.py"):
        (clone / name).write_text("1", encoding="utf-8")
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run(["git", *WHO, "commit", "--quiet", "--message", "second"], check=True)
    assert uncommitted(record(clone)) == (False, [], [])
    (clone / "größe.py").write_text("2", encoding="utf-8")
    assert uncommitted(record(clone)) == (True, ["größe.py"], [])


def test_without_git_nothing_is_said_of_the_code(clone, monkeypatch):
    monkeypatch.setenv("PATH", str(clone))
    said = record(clone)
    assert said["commit"] is None and said["uncommitted_changes"] is None


def test_host_user_and_folder_are_not_recorded(clone, monkeypatch):
    monkeypatch.setenv(COMMAND, describe_command([clone / "mine.yaml"], []))
    said = json.dumps(record(clone))
    assert "snakemake --cores all --configfile mine.yaml" in said
    for private in (socket.gethostname(), getpass.getuser(), str(clone), str(Path.home())):
        assert private not in said


def test_an_overlay_from_elsewhere_is_named_without_its_folder(clone):
    said = describe_command([Path("/home/someone/mine.yaml")], ["run=a b"])
    assert said == "snakemake --cores all --configfile mine.yaml --config 'run=a b'"


def test_a_setting_of_the_command_does_not_tell_where_the_home_folder_is():
    private_places.cache_clear()
    assert "~/model" in describe_command([], [f"model={{'folder': '{Path.home()}/model'}}"])


def test_a_record_of_an_earlier_training_does_not_outlive_its_results(clone):
    (clone / "machine.json").touch()
    note_start(clone / "machine.json", clone / "speed.jsonl")
    assert not (clone / "machine.json").exists()


def test_a_processor_without_a_name_is_called_by_its_architecture(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nBogoMIPS : 50.00\n", encoding="utf-8")
    assert name_processor(tmp_path / "cpuinfo") == os.uname().machine


def test_the_gpus_of_the_training_are_named_with_their_memory(tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    rows = "0, GPU-a, NVIDIA H20, 97871\\n1, GPU-b, NVIDIA H20, 97871\\n2, GPU-c, NVIDIA H100 80GB HBM3, 81559\\n"
    driver.write_text(f"#!/bin/sh\nprintf '{rows}'\n", encoding="utf-8")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-c")
    assert list_gpu_names() == ["NVIDIA H20 96 GB", "NVIDIA H100 80GB HBM3"]


def test_speed_has_each_trained_step_once_and_no_measurement_of_held_out_pairs(tmp_path):
    place = "global_step/max_steps"
    rows = [
        {"eval_loss": 0.7, place: "0/9", "train_speed(s/it)": 0.0},
        {"loss": 0.7, place: "1/9", "train_speed(s/it)": 9.0, "memory(GiB)": 3.5},
        {"loss": 0.6, place: "5/9", "train_speed(s/it)": 4.0},
        {"loss": 0.6, place: "5/9", "train_speed(s/it)": 2.0},
        {"train_loss": 0.6, place: "9/9", "train_speed(s/it)": 2.0},
        {"last_model_checkpoint": "x"},
    ]
    (tmp_path / "log").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_speed(tmp_path / "speed.jsonl", tmp_path / "log")
    assert read_json_lines(tmp_path / "speed.jsonl") == [
        {"step": 1, "seconds_per_step": 9.0, "memory_gib": 3.5},
        {"step": 5, "seconds_per_step": 2.0},
    ]
