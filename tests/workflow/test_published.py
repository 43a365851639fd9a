"""The published results: a clone that has pulled them has nothing to do, in Snakemake and in DVC, and they agree."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.settings.check import load_config
from pipeline.settings.reads import readers_of
from tests.support.both_engines import assert_nothing_to_do, in_folder
from tests.support.changes import list_changes
from tests.support.project import ROOT, copy_clone

UP_TO_DATE = "Data and pipelines are up to date."
NOTHING = "Nothing to be done"
STORE_BYTES = 8 << 20
CHANGES = list_changes(load_config([]))
GRAPH_SETTINGS = {
    *("data.val", "data.val_overlap", "data.analyses", "model.folder", "model.weights", "model.random", "sft.enabled"),
    *("infer.prompts", "evaluate.comet", "evaluate.judge", "evaluate.neutral", "export.gguf", "tracking.mode"),
}
DVC_SETTINGS = {"dvc.push_merged"}  # say what DVC keeps, and are read when dvc.yaml is written


def one_of_each_class() -> list[str]:
    """Return one setting for each set of rules that read it, and all settings that change the graph."""
    classes = {tuple(readers_of(setting)): setting for setting in sorted(set(CHANGES) - DVC_SETTINGS)}
    return sorted({*classes.values(), *GRAPH_SETTINGS})


OTHER_SETTINGS = sorted(set(CHANGES) - DVC_SETTINGS - set(one_of_each_class()))


@pytest.fixture(scope="module")
def pulled(template, tmp_path_factory) -> Path:
    """Return a clone that has pulled everything, for plans after edits that are taken back."""
    return copy_clone(template, tmp_path_factory.mktemp("published") / "clone")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_clone_that_has_pulled_has_nothing_to_do_in_either_engine(published, run):
    assert NOTHING in run("snakemake", "--dry-run", cwd=published).stdout
    assert run("dvc", "status", cwd=published).stdout.strip() == UP_TO_DATE
    assert UP_TO_DATE in run("dvc", "repro", cwd=published).stdout
    assert run("git", "status", "--porcelain", cwd=published).stdout == ""


def test_the_pictures_in_readme_show_the_published_results(published, run):
    checked = run("python", "-m", "tools.draw_pictures", "--check", cwd=published)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_page_on_speed_names_the_last_loss_of_the_published_training(template):
    metrics = json.loads((template / "results/tiny/dpo/metrics.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert f"last step has the loss {metrics['loss']['last']} (" in page


def test_the_order_of_times_does_not_matter(published):
    files = sorted((path for path in (published / "results").rglob("*") if path.is_file()), reverse=True)
    code = [path for name in ("scripts", "pipeline") for path in (published / name).rglob("*.py")]
    inputs = [*code, *(published / "data").iterdir()]
    for number, path in enumerate([*files, *(path.parent for path in files), *inputs]):
        os.utime(path, (1e9 + number, 1e9 + number))  # long ago, so that an edit is later still
    assert in_folder(published, "tests.support.plans:plan_snakemake") == []


def test_what_is_published_takes_at_most_eight_megabytes_in_git(tmp_path):
    shutil.copytree(ROOT / ".dvc" / "store", tmp_path / "store")
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    tree = subprocess.run(["git", "write-tree"], cwd=tmp_path, check=True, capture_output=True).stdout
    pack = subprocess.run(
        ["git", "pack-objects", "--revs", "--stdout", "--quiet"],
        cwd=tmp_path, input=tree, check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert 0 < len(pack) <= STORE_BYTES


@pytest.fixture(scope="module")
def code(pulled) -> dict:
    """Return the plans after edits of the code, and the expected ones."""
    found: dict = in_folder(pulled, "tests.support.plan_edits:plan_code_edits")
    return found


def test_an_edited_comment_of_every_module_runs_no_job_in_snakemake_and_one_of_a_second_in_dvc(code):
    assert code["comments"]["snakemake"] == []
    assert list(code["comments"]["dvc"]) == ["digest_code"]


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_each_job_sees_another_meaning_of_every_file_on_which_it_depends_and_of_no_other(code, engine):
    seen = dict(code["changed"][engine])
    assert engine == "snakemake" or seen.pop("digest_code") == sorted(code["readers"])
    assert len(code["readers"]) > 20
    assert seen == code["code"]


def test_a_module_that_means_something_else_runs_what_depends_on_it_and_what_follows(code):
    assert code["alone"] == code["followers"]


def test_a_training_depends_on_its_gates_and_its_plugins(code):
    for file in (
        "pipeline/gates.py",
        "plugins/every_row.py",
        "plugins/training_gates.py",
        "pipeline/launch/contract.py",
    ):
        assert "train_dpo" in code["readers"][file], file


@pytest.fixture(scope="module")
def settings(pulled) -> dict:
    """Return the plans of both engines after another value of each setting."""
    changes = {setting: CHANGES[setting] for setting in one_of_each_class()}
    shaping = {setting: changes.pop(setting) for setting in GRAPH_SETTINGS}
    found: dict = in_folder(pulled, "tests.support.plan_edits:plan_setting_edits", changes)
    return found | in_folder(pulled, "tests.support.plan_edits:plan_other_graphs", shaping)


@pytest.mark.parametrize("setting", one_of_each_class())
def test_an_edited_setting_reruns_the_same_stages_in_both_engines(settings, setting):
    assert "failed" not in settings[setting], settings[setting]["failed"]
    assert settings[setting]["snakemake"] == settings[setting]["dvc"] != []


@pytest.fixture(scope="module")
def other_settings(pulled) -> dict:
    """Return the plans of both engines after another value of each of the other settings."""
    changes = {setting: CHANGES[setting] for setting in OTHER_SETTINGS}
    found: dict = in_folder(pulled, "tests.support.plan_edits:plan_setting_edits", changes)
    return found


@pytest.mark.nightly("one setting for each set of rules that read it is in the first tier")
@pytest.mark.parametrize("setting", OTHER_SETTINGS)
def test_every_other_setting_reruns_the_same_stages_in_both_engines(other_settings, setting):
    assert "failed" not in other_settings[setting], other_settings[setting]["failed"]
    assert other_settings[setting]["snakemake"] == other_settings[setting]["dvc"] != []


def test_an_edited_command_of_a_rule_makes_dvc_yaml_stale_and_reruns_the_same_stages(published, run):
    edit(
        published / "rules" / "merge.smk",
        "python -m scripts.merge_adapter",
        "python -B -m scripts.merge_adapter",
    )
    checked = run("python", "-m", "tools.write_dvc_yaml", "--check", cwd=published)
    assert checked.returncode == 1
    assert re.search(r"^-.*merge_adapter.*# rule [0-9a-f]{12}'$", checked.stderr, re.MULTILINE)
    assert checked.stderr.splitlines()[-1] == "dvc.yaml: stale; run: make dvc.yaml"
    in_folder(published, "tools.write_dvc_yaml:main", [])
    answered = {"infer_shard", "gather_predictions", "evaluate_answers", "track_answers"}
    scored = {"score_pairs", "evaluate_pairs", "score_neutral", "evaluate_neutral", "gather_metrics"}
    described = {"write_report", "write_model_card", "write_provenance"}
    expected = sorted({"merge_adapter", *answered, *scored, *described})
    assert in_folder(published, "tests.support.plans:plan_rules") == {"snakemake": expected, "dvc": expected}


def test_a_card_in_the_folder_of_the_model_changes_nothing_in_either_engine(published, run):
    (published / "results/tiny/merged/README.md").write_text("edited\n", encoding="utf-8")
    assert_nothing_to_do(published)
    assert run("sha256sum", "--check", "--quiet", "merged.sha256", cwd=published / "results/tiny").returncode == 0


def test_dvc_yaml_is_what_the_graph_says():
    text = in_folder(ROOT, "pipeline.publishing.dvc_yaml:render", [])
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == text, "stale; run: make dvc.yaml"
