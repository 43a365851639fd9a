"""track_answers.py: how the answers ended goes into the SwanLab run that has the curves of the training."""

import json
from pathlib import Path

import pytest
import swanlab
import yaml

from pipeline.files.json_files import read_json, write_json
from pipeline.launch.contract import Tracking
from pipeline.tracking.swanlab_records import find_newest, read_records
from pipeline.tracking.swanlab_session import open_run
from scripts.track_answers import LOGGED, main

pytestmark = pytest.mark.training_environment

ASKED = {"mode": "offline", "project": "p", "host": None}
FIGURE = {"value": 0.5, "n": 8, "low": 0.25, "high": 0.75}
SHARE = "answers/no_final/dpo"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Return the folder of SwanLab's records of a run."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "tiny").mkdir()
    return tmp_path / "tiny" / "swanlab"


def train(folder: Path, name: str = "tiny", run_id: str = "abcdef0123") -> None:
    """Record a training."""
    open_run(Tracking.asked(ASKED, folder, name, run_id))
    swanlab.config.update({"beta": 0.1})
    swanlab.log({"train/loss": 0.5}, step=0)
    swanlab.finish()


def track(folder: Path, share: dict = FIGURE) -> dict:
    """Run the script, and return its account."""
    answers = {model: dict.fromkeys(LOGGED, FIGURE) for model in ("base", "dpo")}
    answers["dpo"]["no_final"] = share
    write_json(folder.parent / "answers.json", {"models": ["base", "dpo"], "answers": answers})
    options = ["--swanlab", str(folder), "--tracked", str(folder.parent / "tracked.json")]
    main([str(folder.parent / "answers.json"), "--settings", json.dumps({"tracking": ASKED}), *options])
    return read_json(folder.parent / "tracked.json")


def logged(file: Path) -> dict[str, tuple[int, float]]:
    """Return step and value of each figure in a record."""
    scalars = [record.scalar for record in read_records(file) if record.HasField("scalar")]
    return {scalar.key: (scalar.step, scalar.value.number) for scalar in scalars}


def test_both_models_ends_of_answers_and_their_intervals_go_into_the_run_of_the_training(folder):
    train(folder)
    tracked = track(folder)
    found = find_newest(folder, "tiny")
    assert (found.id, len(found.files)) == ("abcdef0123", 2)
    assert logged(found.files[1]) == {name: (1, value) for name, value in tracked["figures"].items()}
    assert tracked["figures"] | {SHARE: 0.5, f"{SHARE}_low": 0.25, f"{SHARE}_high": 0.75} == tracked["figures"]
    assert len(tracked["figures"]) == len(LOGGED) * 2 * 3


def test_the_settings_and_the_machine_of_the_training_stay_with_the_run(folder):
    train(folder)
    track(folder)
    before, after = (file.parent / "files" for file in find_newest(folder, "tiny").files)
    settings = yaml.safe_load((after / "config.yaml").read_text(encoding="utf-8"))
    assert settings["beta"]["value"] == 0.1
    machine = "swanlab-metadata.json"
    assert read_json(before / machine)["hardware"] is not None
    assert read_json(before / machine) == read_json(after / machine)


def test_answers_that_were_made_another_time_are_a_step_later(folder):
    train(folder)
    track(folder)
    track(folder, FIGURE | {"value": 0.75})
    assert logged(find_newest(folder, "tiny").files[-1])[SHARE] == (2, 0.75)


@pytest.mark.parametrize("name", [None, "tiny-sft"], ids=["nothing", "the SFT alone"])
def test_where_the_training_is_not_recorded_the_answers_are_a_run_of_its_name(folder, name):
    if name:
        train(folder, name)
    track(folder)
    found = find_newest(folder, "tiny")
    assert found.id != "abcdef0123"
    assert logged(found.files[0])[SHARE] == (0, 0.5)


def test_a_figure_without_a_value_is_left_out(folder):
    assert SHARE not in track(folder, dict.fromkeys(FIGURE))["figures"]


def test_what_was_logged_is_written_without_a_path_or_a_time(folder):
    train(folder)
    first = track(folder)
    assert track(folder) == first
    assert {name: first[name] for name in ("project", "run")} == {"project": "p", "run": "tiny"}
    assert first.keys() == {"project", "run", "figures"}
