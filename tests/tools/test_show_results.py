"""show_results.py: what a run has dropped, and its gates, are said in the list at its end."""

import json

import pytest

from pipeline.files.json_lines import write_json_lines
from pipeline.gates import gate, write_gates
from pipeline.settings.run_files import RunFiles
from tools.show_results import show_results


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Return the folder of the data of the run x."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "x" / "data"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("used", "codes", "said"),
    [
        (9, {"lost-number": 2}, "9 of 9 rows used; found: lost-number"),
        (
            6,
            {"blank-text": 1, "same-answers": 2, "lost-number": 2},
            "3 of 9 rows dropped (33.3%): 2 same-answers, 1 blank-text; found: lost-number",
        ),
    ],
)
def test_rows_that_were_dropped_are_said_with_their_codes(data, used, codes, said):
    account = {"rows_in": 9, "rows_used": used, "rows_rejected": 9 - used, "codes": codes}
    (data / "quality.json").write_text(json.dumps(account), encoding="utf-8")
    assert show_results("x").splitlines()[1].split(maxsplit=1)[1] == said


def test_pairs_that_were_dropped_for_their_tokens_are_said(data):
    write_json_lines(data / "token_rejects.jsonl", [{"code": "other-prompt"}, *[{"code": "too-many-tokens"}] * 2])
    assert "3 pairs dropped for their tokens: 2 too-many-tokens, 1 other-prompt" in show_results("x")


def test_where_no_pair_was_dropped_for_its_tokens_nothing_is_said(data):
    write_json_lines(data / "token_rejects.jsonl", [])
    assert show_results("x") == "Run x:"


def test_the_gates_of_every_stage_are_counted(data):
    files = RunFiles(data.parent).gates
    for _, path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_gates(path, [gate("asked", True, 1, 1)])
    assert f"{len(files)} of {len(files)} gates passed, of all stages" in show_results("x")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"low": 0.5, "high": 1.5}, "held-out reward margin 1.00 [0.50, 1.50]"),
        ({"low": None, "high": None}, "held-out reward margin 1.00"),
    ],
    ids=["of many pairs", "of too few pairs for an interval"],
)
def test_the_margin_is_said_with_its_interval_where_it_has_one(data, ends, said):
    metrics = data.parent / "evaluate" / "metrics.json"
    metrics.parent.mkdir()
    metrics.write_text(json.dumps({"pairs": {"dpo": {"reward_margin": {"value": 1.0} | ends}}}), encoding="utf-8")
    assert show_results("x").endswith(said)
