"""score_comet.py: its requirements, and its calls of comet-score. The real comet-score is large; here is a stand-in."""

import json
import os
import sys

import pytest

from pipeline.files.json_lines import read_json_lines
from scripts import score_comet
from tests.support.predictions import make_prediction, write_rows

# Scores each translation by its number of letters, and writes what the real one writes with --to_json.
COMET = f"""#!{sys.executable}
import json, sys

words = sys.argv[1:]
after = lambda flag: words[words.index(flag) + 1]
lines = lambda path: open(path, encoding="utf-8").read().splitlines()
first = words.index("--translations") + 1
files = words[first : words.index("--model")]
sides = lines(after("--sources")), lines(after("--references"))
rows = {{
    path: [
        {{"src": src, "mt": mt, "ref": ref, "COMET": len(mt) / 100}}
        for src, ref, mt in zip(*sides, lines(path), strict=True)
    ]
    for path in files
}}
json.dump(rows, open(after("--to_json"), "w", encoding="utf-8"))
"""
FAILS = "#!/bin/sh\necho 'Traceback (most recent call last):'\necho 'KeyError: no such model'\nexit 1\n"


@pytest.fixture
def score(tmp_path, monkeypatch):
    """Return a function that scores two models' answers with a given comet-score, if any, and returns the rows."""

    def run(comet: str | None, base=("one", "two"), dpo=("three", "four"), model="Unbabel/a-model") -> list[dict]:
        (tmp_path / "bin").mkdir()
        if comet:
            (tmp_path / "bin" / "comet-score").write_text(comet, encoding="utf-8")
            (tmp_path / "bin" / "comet-score").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setattr(score_comet, "OWN", tmp_path / "none")
        files = [write(tmp_path / f"{name}.jsonl", answers) for name, answers in (("base", base), ("dpo", dpo))]
        named = [f"{path.stem}={path}" for path in files]
        score_comet.main([*named, *given(str(model)), "--out", str(tmp_path)])
        return read_json_lines(tmp_path / "comet.jsonl")

    return run


def given(model: str | None) -> list[str]:
    """Return the option with the settings of the stage."""
    return ["--settings", json.dumps({"evaluate": {"comet": model}, "infer": {"gpus": 0}})]


def write(path, answers):
    """Write answers as predictions, and return the file; an answer None was cut."""
    ends = [{"final": "half an ans", "finish": "length"} if answer is None else {"final": answer} for answer in answers]
    rows = [make_prediction(f"row-{n}", f"请求\n{n}", chosen="yes\nindeed", **end) for n, end in enumerate(ends)]
    return write_rows(path, rows)


def refusal(score, *arguments, **settings) -> str:
    """Return the one line with which the script stops."""
    with pytest.raises(SystemExit) as stopped:
        score(*arguments, **settings)
    assert "\n" not in str(stopped.value)
    return str(stopped.value)


def test_without_comet_the_command_that_installs_it_is_named(score):
    assert "run: python3 -m venv .venv-comet && .venv-comet/bin/pip install unbabel-comet==" in refusal(score, None)


def test_each_answer_has_its_own_models_score(score):
    assert score(COMET) == [
        {"id": "row-0", "scores": {"base": 0.03, "dpo": 0.05}},
        {"id": "row-1", "scores": {"base": 0.03, "dpo": 0.04}},
    ]


def test_texts_of_several_lines_and_empty_ones_stay_one_line_each(score):
    rows = score(COMET, base=("a\nb\r\n\u2028c", ""), dpo=("", "d"))
    assert [row["scores"] for row in rows] == [{"base": 0.05, "dpo": 0.0}, {"base": 0.0, "dpo": 0.01}]


def test_an_answer_that_was_cut_is_scored_as_an_empty_one(score):
    assert score(COMET, base=("one", None))[1]["scores"] == {"base": 0.0, "dpo": 0.04}


def test_what_comet_says_last_is_the_reason(score):
    assert refusal(score, FAILS) == "comet-score stopped with status 1: KeyError: no such model"


def test_a_folder_that_is_no_model_of_comet_is_named(score, tmp_path):
    assert (
        refusal(score, COMET, model=tmp_path)
        == f"{tmp_path}: hparams.yaml is missing, so the folder is not a model of COMET"
    )


def test_settings_without_a_model_of_comet_are_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"^evaluate\.comet: null, so there is no model to score with; "):
        score_comet.main(["base=b", *given(None), "--out", str(tmp_path)])
