"""evaluate_answers.py: the figures of several models, their intervals, and the command that computes a figure again."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.resample import bootstrap, interval
from pipeline.files.json_lines import read_json_lines
from scripts.evaluate_answers import main
from tests.support.predictions import make_prediction, write_rows
from tests.support.project import ROOT, run_command

EVALUATE = {"terms": None, "own": [], "resamples": 1000, "seed": 17}
ENGLISH = {"source": "zh", "target": "en"}
SYSTEM = {"role": "system", "content": "Translate."}


def write_predictions(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Write sources, answers and chosen answers as predictions."""
    return write_rows(
        path,
        [
            make_prediction(
                f"row-{i}", [SYSTEM, {"role": "user", "content": source}], answer, chosen=chosen, tag="tone"
            )
            for i, (source, answer, chosen) in enumerate(rows)
        ],
    )


SOURCES = ["打开 {name} 的 3 个文件", "见 https://example.org/a", "<b>保存</b>", "取消", "退出登录"]
CHOSEN = ["Open 3 files of {name}", "See https://example.org/a", "<b>Save</b>", "Cancel", "Sign out now"]
BASE = ["Open files of name", "See https://example.org/b", "Save", "", "I'm sorry, but I can't translate that."]
DPO = ["Open 3 files of {name}", "See https://example.org/a", "<b>Save</b>", "Cancel", "Sign out"]


def given(languages: dict[str, str] | None = None, **settings: str | int) -> list[str]:
    """Return the option with the settings of the stage."""
    sections = {"data": {"languages": languages}, "evaluate": EVALUATE | settings, "gates": {"lost_finals": 0.1}}
    return ["--settings", json.dumps(sections)]


def write_both(folder: Path) -> list[str]:
    """Write predictions of two models into a folder, and return the files as the command line names them."""
    return [
        f"{model}={write_predictions(folder / f'{model}.jsonl', list(zip(SOURCES, answers, CHOSEN, strict=True)))}"
        for model, answers in (("base", BASE), ("dpo", DPO))
    ]


@pytest.fixture
def files(tmp_path):
    """Return predictions of two models, as the command line names them."""
    return write_both(tmp_path)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Return the figures, and the rows."""
    folder = tmp_path_factory.mktemp("evaluated")
    main([*write_both(folder), *given(ENGLISH), "--out", str(folder)])
    found = json.loads((folder / "answer_metrics.json").read_text("utf-8"))
    return found | {"rows": read_json_lines(folder / "answers.jsonl")}


def value(evaluated, model, name):
    """Return a figure of a model, and of how many rows it is."""
    figure = evaluated["answers"][model][name]
    return figure["value"], figure["n"]


@pytest.mark.parametrize(
    ("name", "base", "dpo"),
    [
        ("numbers_kept", (0, 1), (1, 1)),
        ("placeholders_kept", (0, 1), (1, 1)),
        ("urls_kept", (0, 1), (1, 1)),
        ("tags_kept", (0, 1), (1, 1)),
        ("empty", (0.2, 5), (0, 5)),
        ("refusals", (0.2, 5), (0, 5)),
    ],
)
def test_what_answers_keep_and_lack_is_counted_where_it_applies(evaluated, name, base, dpo):
    assert (value(evaluated, "base", name), value(evaluated, "dpo", name)) == (base, dpo)


def test_the_length_ratio_is_of_all_characters(evaluated):
    expected = sum(map(len, DPO)) / sum(map(len, CHOSEN))
    assert value(evaluated, "dpo", "length_ratio")[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "refusal",
    [
        "Sorry, I cannot help with that.",
        "As an AI language model, I",
        "抱歉，我无法翻译。",
        "作为一个人工智能",
        "I can't assist",
    ],
)
def test_refusals_are_found(refusal, tmp_path, capsys):
    file = write_predictions(tmp_path / "a.jsonl", [("x", refusal, "y")])
    main([f"dpo={file}", *given(), "--only", "refusals"])
    assert json.loads(capsys.readouterr().out)["answers"]["dpo"]["refusals"]["value"] == 1


@pytest.mark.parametrize(
    "answer", ["The server cannot help: sorry was not said.", "Sorry for the delay: the file was saved.", "I do help."]
)
def test_an_answer_that_only_sounds_like_a_refusal_is_none(answer, tmp_path, capsys):
    file = write_predictions(tmp_path / "a.jsonl", [("x", answer, "y")])
    main([f"dpo={file}", *given(), "--only", "refusals"])
    assert json.loads(capsys.readouterr().out)["answers"]["dpo"]["refusals"]["value"] == 0


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_scores_are_those_of_sacrebleus_own_command(name, evaluated, tmp_path):
    (tmp_path / "chosen.txt").write_text("\n".join(CHOSEN) + "\n", encoding="utf-8")
    (tmp_path / "dpo.txt").write_text("\n".join(DPO) + "\n", encoding="utf-8")
    done = run_command(
        *("sacrebleu", str(tmp_path / "chosen.txt"), "-i", str(tmp_path / "dpo.txt"), "-m", name, "--width", "6")
    )
    theirs = json.loads(done.stdout)
    assert value(evaluated, "dpo", name)[0] == pytest.approx(theirs["score"], abs=1e-6)
    assert theirs["signature"] == evaluated["signatures"][name]


def test_every_figure_has_an_interval_around_it(evaluated):
    for figures in [*evaluated["answers"].values(), *evaluated["comparisons"].values()]:
        for name, figure in figures.items():
            assert figure["low"] <= figure["value"] <= figure["high"], name


def test_a_comparison_says_what_was_gained_and_how_likely_chance_does_that(evaluated):
    gained = evaluated["comparisons"]["dpo-base"]["chrf"]
    assert gained["value"] == pytest.approx(
        value(evaluated, "dpo", "chrf")[0] - value(evaluated, "base", "chrf")[0], abs=1e-5
    )
    assert 0 < gained["p"] < 0.2  # five prompts can say no more


@pytest.mark.parametrize("name", ["bleu", "numbers_kept"])
def test_the_command_of_a_figure_computes_it_again(name, evaluated):
    figure = evaluated["answers"]["dpo"][name]
    _, *command = shlex.split(figure["command"])
    again = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout)["answers"]["dpo"] == {name: figure}


def test_rows_show_the_answers_side_by_side_and_by_how_much_they_rose(evaluated):
    row = evaluated["rows"][0]
    assert (row["answers"], row["tag"]) == ({"base": BASE[0], "dpo": DPO[0]}, "tone")
    assert row["scores"]["dpo"]["chrf"] == 100
    assert row["change"] == pytest.approx(100 - row["scores"]["base"]["chrf"], abs=1e-5)


def test_without_a_target_language_only_what_fits_any_answer_is_computed(files, capsys):
    main([*files, *given()])
    ends = {"cut_answers", "no_final", "analysis_tokens", "final_tokens"}
    assert set(json.loads(capsys.readouterr().out)["answers"]["dpo"]) == {"length_ratio", "empty", "refusals"} | ends


def test_terms_are_looked_for_in_the_answers_to_sources_that_have_them(files, tmp_path, capsys):
    (tmp_path / "terms.tsv").write_text("保存\tsave\n退出登录\tlog out\n没有\tnone\n", encoding="utf-8")
    main([*files, *given(terms=str(tmp_path / "terms.tsv")), "--only", "term_hits"])
    found = json.loads(capsys.readouterr().out)["answers"]["dpo"]["term_hits"]
    assert (found["value"], found["n"]) == (0.5, 2)


def test_a_figure_of_the_users_own_is_a_function_in_a_file(files, tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def is_long(source, answer, chosen):\n    return len(answer) > 10\n")
    figures = [{"name": "long", "function": f"{tmp_path / 'mine.py'}:is_long", "better": "lower"}]
    main([*files, *given(own=figures), "--only", "long"])
    found = json.loads(capsys.readouterr().out)
    assert found["answers"]["dpo"]["long"]["value"] == 0.6
    assert found["better"] == {"long": "lower"}


def test_the_first_figure_of_the_users_own_is_the_one_whose_change_is_shown(files, tmp_path):
    code = "def is_long(source, answer, chosen):\n    return len(answer) > 10\n\ndef is_one(*texts):\n    return 1\n"
    (tmp_path / "mine.py").write_text(code)
    figures = [
        {"name": name, "function": f"{tmp_path / 'mine.py'}:is_{name}", "better": None} for name in ("long", "one")
    ]
    main([*files, *given(ENGLISH, own=figures), "--out", str(tmp_path / "evaluate")])
    rows = read_json_lines(tmp_path / "evaluate" / "answers.jsonl")
    longer = [(len(dpo) > 10) - (len(base) > 10) for base, dpo in zip(BASE, DPO, strict=True)]
    assert [row["change"] for row in rows] == longer


def test_answers_to_a_prompt_are_drawn_together_as_often_as_the_settings_say_and_from_their_seed(tmp_path, capsys):
    rows = [(str(n // 3), "y" * (n // 3) ** 2, "yes") for n in range(30)]
    file = write_predictions(tmp_path / "a.jsonl", rows)
    main([f"dpo={file}", *given(resamples=300, seed=5), "--only", "length_ratio"])
    found = json.loads(capsys.readouterr().out)["answers"]["dpo"]["length_ratio"]
    drawn = bootstrap(np.array([[3.0 * prompt**2, 9.0] for prompt in range(10)]), 300, 5)
    assert (found["low"], found["high"]) == pytest.approx(interval(drawn[:, 0] / drawn[:, 1]), abs=1e-6)


def test_judgements_become_a_win_rate_in_which_a_tie_counts_half(files, tmp_path, capsys):
    winners = ["dpo", "dpo", "tie", "base", "invalid"]
    rows = [
        {"id": f"row-{i}", "first": {"order": ["base", "dpo"]}, "second": {"order": ["dpo", "base"]}, "winner": winner}
        for i, winner in enumerate(winners)
    ]
    file = tmp_path / "judgements.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    main([*files, *given(), "--judgements", str(file), "--only", "win_rate"])
    found = json.loads(capsys.readouterr().out)["comparisons"]["dpo-base"]["win_rate"]
    assert (found["value"], found["n"]) == (2.5 / 4, 4)


CUT = {"finish": "length", "final": "Yes, b", "analysis": "Hm."}


def lose_finals(folder: Path, share: float) -> list[str]:
    """Write predictions of two models, and return them with the settings; a share of the second one's is cut."""
    files = []
    for model, lost in (("base", 0), ("dpo", round(share * 10))):
        ends = [CUT] * lost + [{"final": "Yes"}] * (10 - lost)
        rows = [make_prediction(str(n), str(n), **end) for n, end in enumerate(ends)]
        files.append(f"{model}={write_rows(folder / f'{model}.jsonl', rows)}")
    return [*files, *given(), "--out", str(folder)]


def test_rows_say_how_answers_ended_and_show_a_cut_one_as_scored(tmp_path):
    main(lose_finals(tmp_path, 0.1))
    row = read_json_lines(tmp_path / "answers.jsonl")[0]
    assert row["answers"] == {"base": "Yes", "dpo": ""}
    assert (row["finish"], row["analysis"]) == ({"base": "stop", "dpo": "length"}, {"dpo": "Hm."})


def test_more_lost_finals_than_the_settings_allow_are_said_and_stop_nothing(tmp_path, capsys):
    main(lose_finals(tmp_path, 0.2))
    (said,) = capsys.readouterr().out.splitlines()
    assert re.search(r"gates.json: lost_finals is 0.200 over base .* raise infer.max_new_tokens", said)
    (gate,) = json.loads((tmp_path / "gates.json").read_text("utf-8"))
    assert (gate["gate"], gate["passed"]) == ("lost_finals", False)
    assert json.loads((tmp_path / "answer_metrics.json").read_text("utf-8"))["answers"]["dpo"]["cut_answers"]["n"] == 10


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["{base}", "--only", "blue"], {}, "--only: blue: not a figure of this comparison; there are: "),
        (
            ["{base}"],
            {"own": [{"name": "f", "function": "nowhere.py:f", "better": None}]},
            "evaluate.own: nowhere.py:f: name a file and its function",
        ),
        (["base.jsonl"], {}, "base.jsonl: give each file with its model's name"),
        (["{base}", "{base}"], {}, "base is named a second time; give each model another name"),
        (["dpo={other},{empty}"], {}, "empty.jsonl: give one file of each model"),
        (["{base}", "dpo={other}"], {}, "line 1: not the prompt of that line in"),
        (["dpo={empty}"], {}, "no predictions; run the inference again"),
        (["dpo={broken}"], {}, "broken.jsonl, line 1: not a prediction ("),
        (["dpo={missing}"], {}, "missing.jsonl: no such file of predictions"),
        (["dpo={old}"], {}, "old.jsonl, line 1: a prediction of an older release, which does not say how the answer "),
    ],
)
def test_a_mistake_is_one_line(arguments, settings, said, files, tmp_path):
    write_predictions(tmp_path / "other.jsonl", [("别的", "Other", "Other")])
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "old.jsonl").write_text('{"id": "a", "messages": [], "response": "b", "chosen": "", "rejected": ""}\n')
    written = ("other", "empty", "broken", "missing", "old")
    names = {"base": files[0]} | {name: str(tmp_path / f"{name}.jsonl") for name in written}
    with pytest.raises(SystemExit) as stopped:
        main([*(word.format(**names) for word in arguments), *given(**settings)])
    assert said in str(stopped.value) and "\n" not in str(stopped.value)
