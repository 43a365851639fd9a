"""reproduce_results.py: what it says of results that were computed again, and its last line."""

import json
from pathlib import Path

import pytest

from tools.reproduce_results import compare_out, report

RUN = "results/tiny"
DESCRIBE = "1 describe the run itself and are not compared"
PUBLISHED = {
    "results/code.json": "{}",
    f"{RUN}/dpo/curves.jsonl": json.dumps({"step": 1, "loss": 0.5}) + "\n",
    f"{RUN}/infer/gates.json": json.dumps([{"gate": "a", "passed": True, "value": 1}]),
    f"{RUN}/plots/loss.png": "drawn",
    f"{RUN}/report.html": "at noon",
}
OUTS = [*(path for path in PUBLISHED if "plots" not in path), f"{RUN}/plots"]
NEAR = {f"{RUN}/dpo/curves.jsonl": json.dumps({"step": 1, "loss": 0.51}) + "\n"}
FAR = {f"{RUN}/dpo/curves.jsonl": json.dumps({"step": 1, "loss": 5.0}) + "\n"}
OTHER_VALUE = {f"{RUN}/infer/gates.json": json.dumps([{"gate": "a", "passed": True, "value": 2}])}
REDRAWN = {f"{RUN}/plots/loss.png": "with other fonts"}
NONE = "0 within a tolerance; 0 of those that may differ by any amount; 0 outside"


def say(folder: Path, computed: dict[str, str | None], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines about results that were computed so, and the status."""
    for side, files in (("published", PUBLISHED), ("computed", PUBLISHED | computed)):
        for name, text in files.items():
            if text is not None:
                (folder / side / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / side / name).write_text(text, encoding="utf-8")
    changed = {out for out in OUTS for name in computed if name.startswith(out)}
    found = {out: compare_out(out, folder / "published", folder / "computed") for out in sorted(changed)}
    try:
        report(OUTS, found)
    except SystemExit as error:
        return [*capsys.readouterr().out.splitlines(), str(error)]
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("computed", "last"),
    [
        ({}, f"reproduced: 4 of 4 results are the same byte for byte; {NONE}; {DESCRIBE}"),
        (
            NEAR | OTHER_VALUE,
            "reproduced: 2 of 4 results are the same byte for byte; 1 within a tolerance: results/tiny/dpo/curves.jsonl"
            "; 1 of those that may differ by any amount: results/tiny/infer/gates.json; 0 outside; " + DESCRIBE,
        ),
        (
            FAR | REDRAWN,
            "not reproduced: 2 of 4 results are the same byte for byte; 0 within a tolerance; 1 of those that may "
            "differ by any amount: results/tiny/plots; 1 outside: results/tiny/dpo/curves.jsonl; "
            f"{DESCRIBE} (docs/reproducing.md)",
        ),
    ],
    ids=["the same bytes", "other figures", "figures outside"],
)
def test_the_last_line_says_what_was_the_same_what_within_a_tolerance_and_what_outside(
    tmp_path, capsys, computed, last
):
    assert say(tmp_path, computed, capsys)[-1] == last


def test_a_plot_drawn_with_other_fonts_is_outside_and_said_to_have_the_same_figures(tmp_path, capsys):
    said = say(tmp_path, REDRAWN, capsys)
    assert said[0] == f"! {RUN}/plots/loss.png: is drawn otherwise, from the same figures; allowed 0"
    assert said[-1].startswith("not reproduced: 3 of 4 results are the same byte for byte; ")
    assert f"; 1 outside: {RUN}/plots; " in said[-1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (f"{RUN}/plots/loss.png", None, "is not there now"),
        (f"{RUN}/plots/other.png", "drawn", "was not there before"),
        (f"{RUN}/plots/.hidden", "", "has another hash, and the same files"),
    ],
)
def test_a_file_that_is_in_one_of_both_alone_is_named_and_outside(tmp_path, capsys, name, text, words):
    line, last = say(tmp_path, {name: text}, capsys)
    assert words in line and line.startswith(f"! {RUN}/plots")
    assert last.startswith("not reproduced")


def test_a_difference_that_has_a_limit_is_shown_with_it(tmp_path, capsys):
    assert say(tmp_path, NEAR, capsys)[0] == f"  {RUN}/dpo/curves.jsonl: differs by 0.01 in 1 loss; allowed 0.4"
