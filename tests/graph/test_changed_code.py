"""changed_code.py: a finished training that other code made is named before it is planned again."""

import json
from pathlib import Path

import pytest

from pipeline.graph.changed_code import name_changed_code
from pipeline.provenance.run_records import record_of

OUTPUT = "results/tiny/dpo/adapter.sha256"
CODE = ["plugins/a.py 0123456789ab", "scripts/b.py 0123456789ab"]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch):
    """Return a function that leaves a finished training with these parameters on record."""
    monkeypatch.chdir(tmp_path)

    def train(params: list[str]) -> None:
        for path, text in ((OUTPUT, ""), (record_of(OUTPUT), json.dumps({"params": [*map(repr, params), "3"]}))):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")

    return train


def test_nothing_is_said_where_the_code_is_as_it_was(trained, capsys):
    trained([*CODE, "--beta 0.1"])
    name_changed_code("train_dpo", OUTPUT, CODE)
    assert capsys.readouterr().err == ""


def test_nothing_is_said_where_nothing_was_trained(trained, capsys):
    name_changed_code("train_dpo", OUTPUT, CODE)
    assert capsys.readouterr().err == ""


def test_the_changed_module_is_named_and_the_command_that_keeps_the_result(trained, capsys):
    trained([CODE[0], "scripts/b.py ffffffffffff"])
    name_changed_code("train_dpo", OUTPUT, CODE)
    assert capsys.readouterr().err == (
        f"{OUTPUT}: scripts/b.py changed since; train_dpo runs again. "
        f"To keep the result: snakemake --touch -- {OUTPUT}\n"
    )


def test_a_record_of_before_the_code_was_recorded_is_said_to_be_one(trained, capsys):
    trained(["--beta 0.1"])
    name_changed_code("train_dpo", OUTPUT, CODE)
    assert "which older records do not name" in capsys.readouterr().err
