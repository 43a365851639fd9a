"""write_experiment.py: the overlay that a user's pairs and GPUs get, and what is refused before one is written."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from pipeline.settings.check import load_checked
from tests.support.both_engines import in_folder
from tests.support.project import ROOT
from tools.write_experiment import main

PAIRS = [
    {"prompt": f"How do I set lamp {number}?", "chosen": "Press the knob.", "rejected": f"It cannot be set, {number}."}
    for number in range(20)
]


@pytest.fixture
def new(tmp_path, monkeypatch, capsys):
    """Return a function that writes an overlay for some rows; it returns its path and what was said."""
    monkeypatch.chdir(ROOT)

    def write(rows=PAIRS, *words: str, name: str = "mine") -> tuple[Path, str]:
        raw = tmp_path / "pairs.jsonl"
        raw.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        main([str(tmp_path / f"{name}.yaml"), str(raw), *words])
        return tmp_path / f"{name}.yaml", capsys.readouterr().out

    return write


def test_without_a_gpu_a_tiny_model_tries_the_whole_graph_on_the_cpu(new, tmp_path):
    overlay, said = new()
    config = load_checked([overlay])
    assert (config["run"], config["data"]["languages"], config["train"]["gpus"]) == ("mine", None, 0)
    planned = {job["rule"] for job in in_folder(ROOT, "tests.support.plans:list_commands", [str(overlay)])}
    assert {"convert_preferences", "build_tiny_model", "train_dpo", "write_report"} <= planned
    assert said.splitlines()[-3:] == ["Next:", f"  make plan EXPERIMENT={overlay}", f"  make run EXPERIMENT={overlay}"]


def test_with_a_gpu_the_overlay_is_the_recipe_with_what_was_chosen_and_why(new):
    overlay, said = new(PAIRS, "--gpu", "a100-80gb", "--gpus", "8")
    config, text = load_checked([overlay]), overlay.read_text(encoding="utf-8")
    assert (config["train"]["gpus"], config["train"]["gpu_model"]) == (8, "a100-80gb")
    assert config["infer"]["shards"] == 8
    for line in said.splitlines()[1:]:
        if line.startswith("  dpo.") or line.startswith("  data."):
            assert f"  # {line.partition('  (')[2][:-1]}\n" in text
    assert "models/gpt-oss-20b: no such folder; run" in said
    assert f"  snakemake --cores all --resources gpu=8 --configfile {overlay}\n" in said  # more than the profile lends


def test_rows_that_cannot_be_used_are_dropped_and_said(new):
    overlay, said = new([*PAIRS, {"prompt": "?"}])
    assert load_checked([overlay])["data"]["on_problem"] == "drop"
    assert "20 of 21 rows can be used, of the format trl" in said
    assert "stop would refuse the run" in said


def test_of_many_pairs_a_tiny_model_takes_some(new):
    rows = [row | {"prompt": f"{row['prompt']} {turn}"} for row in PAIRS for turn in range(26)]
    overlay, said = new(rows)
    (source,) = load_checked([overlay])["data"]["raw"]
    assert source["limit"] == 500
    assert "500 of them are drawn" in said


def test_translations_get_their_languages_and_its_checks(new):
    ask = "Translate from Chinese into English."
    row = {"system": ask, "prompt": "保存 {name}", "chosen": "Save", "rejected": "Please save {name}!"}
    rows = [row | {"prompt": f"保存 {{name}} {number}", "chosen": f"Save {number}"} for number in range(20)]
    overlay, said = new(rows)
    assert load_checked([overlay])["data"]["languages"] == {"source": "zh", "target": "en"}
    assert "found: lost-placeholder" in said


def test_translations_beside_many_other_pairs_get_none(new):
    ask = "Translate from Chinese into English."
    rows = [{"system": ask, "prompt": f"保存 {n}", "chosen": f"Save {n}", "rejected": f"Saves {n}"} for n in range(20)]
    overlay, _ = new([*rows, *PAIRS[:9]])
    assert load_checked([overlay])["data"]["languages"] is None


def test_a_table_and_a_folder_are_read_as_well(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "pairs").mkdir()
    with (tmp_path / "pairs" / "pairs.csv").open("w", encoding="utf-8") as file:
        table = csv.DictWriter(file, PAIRS[0])
        table.writeheader()
        table.writerows(PAIRS)
    main([str(tmp_path / "mine.2"), str(tmp_path / "pairs")])
    assert yaml.safe_load((tmp_path / "mine.2.yaml").read_text(encoding="utf-8"))["run"] == "mine.2"


@pytest.mark.parametrize(
    ("name", "data", "words", "line"),
    [
        ("old", "pairs.jsonl", [], r"old.yaml: already exists; give EXPERIMENT another name, or remove it"),
        ("mine", "no.jsonl", [], r"no.jsonl: no such file; name a file, a folder with data files in it, or a glob"),
        ("mine", "bad.jsonl", [], r"bad.jsonl:1: .*; no pair is left"),
        ("no/mine", "pairs.jsonl", [], r"no: no such folder; make it, or give EXPERIMENT a name alone"),
        ("mine", "pairs.jsonl", ["--gpu", "a100"], r"GPU=a100: not the name of one model; take one of "),
        ("mine", "pairs.jsonl", ["--gpu", "h20", "--gpus", "0"], r"GPUS=0: not a number of GPUs; take 1 or more"),
        ("mine", "pairs.jsonl", ["--gpus", "2"], r"GPUS is given without GPU; name the model too, such as GPU="),
        ("tiny", "pairs.jsonl", [], r"tiny.yaml: tiny is the run of config.yaml, whose results it would take; give "),
        ("m" * 300, "pairs.jsonl", [], r"m…: too long for the name of a file; give EXPERIMENT a shorter one"),
        ("mine", "bads.jsonl", [], r"all of them: python -m tools.check_pairs \S+ --out checked\); no pair is left"),
        (
            "mine",
            "one.jsonl",
            [],
            r"one.jsonl: pairs that can be used: 1; too few to train on some and to ",
        ),
        (
            "mine",
            "one.jsonl",
            ["--gpu", "h100"],
            r"one.jsonl: pairs that can be used: 1; too few to train on s",
        ),
        (
            "mine",
            "long.jsonl",
            [],
            r"long.jsonl: every pair is longer than 4,096 tokens, the most on a CPU; ",
        ),
        (
            "mine",
            "long.jsonl",
            ["--gpu", "rtx-5080"],
            r"every pair is longer than 1,024 tokens, the most for such ",
        ),
        ("mine", "pairs.jsonl", ["--gpu", "h20", "--gpus", "two"], r"GPUS=two: not a number of GPUs; take 1 or more"),
        ("Mine", "pairs.jsonl", [], r"Mine.yaml: run: 'Mine' does not have the form "),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_nothing_is_written(
    tmp_path, monkeypatch, name, data, words, line
):
    monkeypatch.chdir(ROOT)
    (tmp_path / "old.yaml").touch()
    for file, rows in (("bad", 1), ("bads", 3)):
        (tmp_path / f"{file}.jsonl").write_text('{"text": "no pair"}\n' * rows, encoding="utf-8")
    for file, rows in (("one", PAIRS[:1]), ("long", [pair | {"prompt": "word " * 6000} for pair in PAIRS])):
        (tmp_path / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit, match=line) as stopped:
        main([str(tmp_path / name), str(tmp_path / data), *words])
    assert len(str(stopped.value).splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before
