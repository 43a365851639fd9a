"""hide_private.py: paths become relative, and nothing else changes."""

import json
import logging
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.files.hide_private import hide_in, hide_in_record, hide_private, private_places
from tests.support.odd_folders import ODD_FOLDERS


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


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "by Python": repr,
    "by Python beside quotes": lambda path: repr(f"{path} ' and \""),
    "as JSON": json.dumps,
    "as JSON with all characters": partial(json.dumps, ensure_ascii=False),
    "as an address": lambda path: f"file://{quote(path)}",
    "for a shell": shlex.quote,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ODD_FOLDERS)
def test_a_folder_may_have_any_signs_in_its_name_however_it_is_written(machine, monkeypatch, name, way):
    folder = machine / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    said = hide_private(f"loaded {WAYS[way](f'{folder}/results')}, and {WAYS[way](str(folder))}")
    assert "someone" not in said and "home" not in said.lower()
    assert "results" in said and "/results" not in said.replace("file://results", "")
    assert all(part not in said for part in (name, quote(name), json.dumps(name)[1:-1]))


@pytest.mark.parametrize("before", ["\\n", "'", "file://", "gcc -I", '"-L', "path=", "(", ":"])
def test_a_path_is_found_behind_anything_that_is_no_part_of_it(machine, before):
    assert hide_private(f"{before}{machine}/project/x") == f"{before}x"


def test_a_folder_that_is_reached_by_a_link_is_hidden_by_both_names(machine, monkeypatch):
    link = machine.parent / "link"
    link.symlink_to(machine)
    monkeypatch.setenv("HOME", str(link))
    private_places.cache_clear()
    assert hide_private(f"{link}/x, {machine}/x") == "~/x, ~/x"


def test_a_folder_for_temporary_files_of_ones_own_is_hidden(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", f"{tmp_path}/of-someone")
    assert hide_private(f"{tmp_path}/of-someone/x.py") == "$TMPDIR/x.py"


def test_the_folder_for_temporary_files_of_everybody_is_not_hidden(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert hide_private("/tmp/x.py") == "/tmp/x.py"


def test_an_object_that_names_a_folder_becomes_a_text_without_it(machine):
    found = hide_in({"model": machine / "project" / "models", "processes": 2, "rate": 0.5, "on": True, "no": None})
    assert found == {"model": "models", "processes": 2, "rate": 0.5, "on": True, "no": None}


def test_settings_are_searched_to_their_depth(machine):
    value = {f"{machine}/project/models/x": f"{machine}/project/y", "flags": [(f"{machine}/project",), 1, None]}
    assert hide_in(value) == {"models/x": "y", "flags": [["."], 1, None]}


def test_a_logger_says_the_rest(machine):
    record = logging.LogRecord("x", logging.INFO, "", 1, "from %s: %d", (Path.cwd() / "model", 3), None)
    assert hide_in_record(record)
    assert record.getMessage() == "from model: 3"
