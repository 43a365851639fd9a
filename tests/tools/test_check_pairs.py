"""check_pairs.py: pairs checked by hand, with the settings of a run."""

import json
import subprocess
import sys

from tests.support.project import ROOT

PAIR = {
    "id": "a",
    "messages": [{"role": "user", "content": "保存 {name}"}, {"role": "assistant", "content": "Save"}],
    "rejected_response": "Please save!",
}


def check(folder, rows, overlay=None):
    """Check rows, with an overlay; return how the command ended."""
    raw, out = folder / "raw.jsonl", folder / "checked"
    raw.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    overlays = []
    if overlay:
        overlays = [str(folder / "mine.yaml")]
        (folder / "mine.yaml").write_text(json.dumps(overlay), encoding="utf-8")
    command = [sys.executable, "-m", "tools.check_pairs", str(raw), *overlays, "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def codes(folder):
    return set(json.loads((folder / "checked" / "quality.json").read_text(encoding="utf-8"))["codes"])


def test_pairs_are_checked_into_a_folder(tmp_path):
    done = check(tmp_path, [PAIR])
    assert done.returncode == 0, done.stderr
    assert "\n1 rows in, 1 used, 0 rejected; 1 pairs" in done.stdout
    assert sorted(path.name for path in (tmp_path / "checked").iterdir()) == [
        "pairs.jsonl",
        "places.jsonl",
        "quality.json",
        "rejects.jsonl",
    ]


def test_pairs_are_translations_only_where_an_overlay_says_so(tmp_path):
    done = check(tmp_path, [PAIR])
    assert done.stdout.startswith("data.languages: null, since no overlay names any;")
    assert codes(tmp_path) == set()
    assert check(tmp_path, [PAIR], {"data": {"languages": {"source": "zh", "target": "en"}}}).returncode == 0
    assert codes(tmp_path) == {"lost-placeholder"}


def test_a_python_without_the_projects_packages_is_told_in_one_line_how_to_run_it():
    command = [sys.executable, "-S", "-m", "tools.check_pairs", "raw.jsonl", "--out", "checked"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "run make setup and . .venv/bin/activate first" in line


def test_a_row_that_cannot_be_used_is_named_and_ends_it_with_status_1(tmp_path):
    done = check(tmp_path, [PAIR, "?\n"])
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}/raw.jsonl:2: column 1: Expecting value; ")


def test_a_setting_that_does_not_exist_is_named_before_anything_is_written(tmp_path):
    done = check(tmp_path, [PAIR], {"data": {"langages": None}})
    assert done.returncode == 1
    assert "data.langages: unknown setting; did you mean data.languages?" in done.stderr
    assert not (tmp_path / "checked").exists()
