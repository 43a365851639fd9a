"""The commands of docs/pipeline.md about a gpt-oss of one's own, as they are written, in their order."""

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.models.model_folder import find_model_problem, say_how_to_fetch
from pipeline.models.model_weights import is_packed_folder
from tests.support.hub_stand_in import serve_models
from tests.support.model_folders import write_model_folder
from tests.support.project import ROOT, copy_project

PAGE = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## A gpt-oss of your own\n")[2].partition("\n## ")[0]
LINES = [line for line in SECTION.replace("\\\n", "").splitlines() if line.startswith("    ")]
COMMANDS = [line.strip() for line in LINES]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """Run all commands in a copy of the project, with a server in the hub's place, and return the folder of models."""
    place = tmp_path_factory.mktemp("commands")
    copy_project(place / "project")
    published = write_model_folder(place / "hub")
    for name in ("original/model.safetensors", "metal/model.bin"):
        (published / name).parent.mkdir()
        (published / name).write_bytes(b"other")
    with serve_models({"openai/gpt-oss-20b": published}) as address:
        own = {
            "HF_ENDPOINT": address,
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
        }
        for command in COMMANDS:
            ran = subprocess.run(
                command, shell=True, cwd=place / "project", env=os.environ | own, capture_output=True, text=True
            )
            assert ran.returncode == 0, f"{command}: {ran.stderr}"
    return place / "project" / "models"


def test_the_page_has_a_command_for_the_download_the_check_and_the_conversion():
    words = ("hf download openai/gpt-oss-20b", "scripts.check_model", "scripts.dequantise_model")
    assert [word for word, command in zip(words, COMMANDS, strict=True) if word not in command] == []


def test_the_download_brings_a_whole_packed_model_without_what_is_not_needed(done):
    assert not find_model_problem(done / "gpt-oss-20b")
    assert is_packed_folder(done / "gpt-oss-20b")
    assert not (done / "gpt-oss-20b" / "original").exists() and not (done / "gpt-oss-20b" / "metal").exists()


def test_the_download_is_the_command_that_a_missing_folder_gets():
    assert f"run `{COMMANDS[0]}`" == say_how_to_fetch(Path("models/gpt-oss-20b"))


def test_the_check_records_every_file_that_is_used(done):
    recorded = (done / "gpt-oss-20b.sha256").read_text(encoding="utf-8")
    assert "  gpt-oss-20b/model-00000-of-00001.safetensors\n" in recorded


def test_the_conversion_leaves_a_whole_model_in_bfloat16(done):
    assert not find_model_problem(done / "gpt-oss-20b-bfloat16")
    assert not is_packed_folder(done / "gpt-oss-20b-bfloat16")
