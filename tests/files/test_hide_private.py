"""hide_private.py: paths become relative, and nothing else changes."""

import logging
import sys
from pathlib import Path

import pytest

from pipeline.files.hide_private import hide_in, hide_in_record, hide_private, private_places


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """Let the project lie in a folder of its own in somebody's home."""
    home = tmp_path / "someone"
    (home / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "project")
    private_places.cache_clear()
    yield home
    private_places.cache_clear()


def test_a_path_in_the_project_becomes_relative(machine):
    assert hide_private(f"saved in '{machine}/project/results/tiny'.") == "saved in 'results/tiny'."
    assert hide_private(f"cwd={machine}/project, {machine}/project/") == "cwd=., "


def test_a_path_in_the_home_folder_begins_there(machine):
    assert hide_private(f"{machine}/.cache/x and {machine}") == "~/.cache/x and ~"


@pytest.mark.parametrize("path", ["{}s/project", "/backup{}/project", "{}-old/x", "{}/projects/x"])
def test_another_path_that_contains_these_is_left_or_only_shortened(machine, path):
    said = path.format(machine)
    assert hide_private(said) == said.replace(f"{machine}/projects", "~/projects")


def test_a_path_in_the_environment_begins_with_its_name():
    assert hide_private(f"{sys.prefix}/lib/x.py") == f"{Path(sys.prefix).name}/lib/x.py"


def test_a_folder_may_have_signs_in_its_name_that_a_pattern_reads_otherwise(machine, monkeypatch):
    folder = machine / "c++ (new)"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert hide_private(f"{folder}/x") == "x"


def test_settings_are_searched_to_their_depth(machine):
    value = {f"{machine}/project/models/x": f"{machine}/project/y", "flags": [(f"{machine}/project",), 1, None]}
    assert hide_in(value) == {"models/x": "y", "flags": [["."], 1, None]}


def test_a_logger_says_the_rest(machine):
    record = logging.LogRecord("x", logging.INFO, "", 1, "from %s: %d", (Path.cwd() / "model", 3), None)
    assert hide_in_record(record)
    assert record.getMessage() == "from model: 3"
