"""The published results: a clone that has pulled them has nothing to do, in Snakemake and in DVC, and they agree."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.settings.check import load_config, merge
from pipeline.settings.reads import readers_of
from tests.support.changes import list_changes
from tests.support.project import ROOT, Run, commit, copy_project, run_command

UP_TO_DATE = "Data and pipelines are up to date."
NOTHING = "Nothing to be done"
STORE_BYTES = 8 << 20
CHANGES = list_changes(load_config([]))
GRAPH_SETTINGS = {"evaluate.comet", "evaluate.judge", "model.folder", "model.random", "sft.enabled"}
DVC_SETTINGS = {"dvc.push_merged"}  # say what DVC keeps, and are read when dvc.yaml is written


def one_of_each_class() -> list[str]:
    """Return one setting for each set of rules that read it, and all settings that change the graph."""
    classes = {tuple(readers_of(setting)): setting for setting in sorted(set(CHANGES) - DVC_SETTINGS)}
    return sorted({*classes.values(), *GRAPH_SETTINGS})


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    """Return a clone that has pulled everything, for tests that put it back as it was."""
    clone = tmp_path_factory.mktemp("published") / "clone"
    copy_project(clone)
    commit(clone, "published")
    assert run_command("dvc", "pull", "--quiet", cwd=clone).returncode == 0
    return clone


@pytest.fixture
def clone(pulled) -> Iterator[Path]:
    """Return the clone, and put it back as it was afterwards; what DVC keeps, only if it was touched."""
    before = stamps(pulled)
    yield pulled
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=pulled, check=True)
    if stamps(pulled) != before:
        assert run_command("dvc", "checkout", "--quiet", "--force", cwd=pulled).returncode == 0


def stamps(clone: Path) -> dict[Path, tuple[int, int]]:
    """Return when each file that DVC keeps was last written, and its size."""
    files = (path for name in ("data", "results") for path in [clone / name, *(clone / name).rglob("*")])
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in files}


@pytest.fixture
def snakemake_plan(clone, run: Run) -> Callable[[], set[str]]:
    """Return a function that names the rules that Snakemake would run."""

    def plan() -> set[str]:
        done = run("snakemake", "--dry-run", cwd=clone)
        assert done.returncode == 0, done.stdout + done.stderr
        return set(re.findall(r"^rule (\w+):", done.stdout + done.stderr, re.MULTILINE)) - {"all"}

    return plan


@pytest.fixture
def dvc_plan(clone, run: Run) -> Callable[[], set[str]]:
    """Return a function that names the rules of the stages that DVC would run: what changed, and what follows."""

    def plan() -> set[str]:
        changed = json.loads(run("dvc", "status", "--json", cwd=clone).stdout)
        stages = yaml.safe_load((clone / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        names = set(changed) & set(stages)
        outs = [out for name in names for out in stages[name]["outs"]]
        while followers := {
            n for n, s in stages.items() if n not in names and set(s["deps"]) & set(map(path_of, outs))
        }:
            names |= followers
            outs += [out for name in followers for out in stages[name]["outs"]]
        return {name.partition("-")[0] for name in names}

    return plan


def path_of(out: "str | dict") -> str:
    """Return the path of an out, with or without options."""
    return out if isinstance(out, str) else next(iter(out))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_clone_that_has_pulled_has_nothing_to_do_in_either_engine(clone, run):
    assert NOTHING in run("snakemake", "--dry-run", cwd=clone).stdout
    assert run("dvc", "status", cwd=clone).stdout.strip() == UP_TO_DATE
    assert UP_TO_DATE in run("dvc", "repro", cwd=clone).stdout
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""


def test_the_order_of_times_does_not_matter(clone, run):
    files = sorted((path for path in (clone / "results").rglob("*") if path.is_file()), reverse=True)
    inputs = [*(clone / "scripts").rglob("*.py"), *(clone / "pipeline").rglob("*.py"), *(clone / "data").iterdir()]
    for number, path in enumerate([*files, *(path.parent for path in files), *inputs]):
        os.utime(path, (1e9 + number, 1e9 + number))  # long ago, so that an edit is later still
    assert NOTHING in run("snakemake", "--dry-run", cwd=clone).stdout


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
def plans(pulled) -> dict:
    """Return the plans of both engines after edits of the code, and the expected ones."""
    done = run_command("python", "-m", "tests.support.plan_edits", cwd=pulled)
    assert done.returncode == 0, done.stderr
    found: dict = json.loads(done.stdout)
    return found


def test_an_edited_comment_of_every_module_runs_no_job_in_snakemake_and_one_of_a_second_in_dvc(plans):
    assert plans["plans"]["comments"] == {"snakemake": [], "dvc": ["digest_code"]}


def test_a_module_that_means_something_else_runs_in_both_engines_what_depends_on_it_and_what_follows(plans):
    assert len(plans["expected"]) > 20
    assert {file: plans["plans"][file] for file in plans["expected"]} == plans["expected"]


def test_a_training_depends_on_its_gates_and_its_plugins(plans):
    for file in (
        "pipeline/gates.py",
        "plugins/every_row.py",
        "plugins/training_gates.py",
        "pipeline/launch/contract.py",
    ):
        assert "train_dpo" in plans["readers"][file], file


@pytest.mark.parametrize("setting", one_of_each_class())
def test_an_edited_setting_reruns_the_same_stages_in_both_engines(clone, snakemake_plan, dvc_plan, setting):
    settings = yaml.safe_load((clone / "config.yaml").read_text(encoding="utf-8"))
    (clone / "config.yaml").write_text(
        yaml.safe_dump(merge(settings, CHANGES[setting]), sort_keys=False), encoding="utf-8"
    )
    if setting in GRAPH_SETTINGS:  # other rules run, which dvc.yaml has to know
        assert run_command("python", "-m", "tools.write_dvc_yaml", cwd=clone).returncode == 0
    assert snakemake_plan() == dvc_plan()


def test_an_edited_command_of_a_rule_makes_dvc_yaml_stale_and_reruns_the_same_stages(
    clone, snakemake_plan, dvc_plan, run
):
    edit(
        clone / "rules" / "merge.smk",
        "python -m scripts.merge_adapter",
        "python -B -m scripts.merge_adapter",
    )
    checked = run("python", "-m", "tools.write_dvc_yaml", "--check", cwd=clone)
    assert checked.returncode == 1
    assert re.search(r"^-.*merge_adapter.*# rule [0-9a-f]{12}'$", checked.stderr, re.MULTILINE)
    assert checked.stderr.splitlines()[-1] == "dvc.yaml: stale; run: make dvc.yaml"
    assert run("python", "-m", "tools.write_dvc_yaml", cwd=clone).returncode == 0
    answered = {"infer_shard", "gather_predictions", "evaluate_answers"}
    scored = {"score_pairs", "evaluate_pairs", "gather_metrics"}
    described = {"write_report", "write_model_card", "write_provenance"}
    assert snakemake_plan() == dvc_plan() == {"merge_adapter", *answered, *scored, *described}


def test_a_card_in_the_folder_of_the_model_changes_nothing_in_either_engine(clone, run):
    (clone / "results/tiny/merged/README.md").write_text("edited\n", encoding="utf-8")
    assert NOTHING in run("snakemake", "--dry-run", cwd=clone).stdout
    assert run("dvc", "status", cwd=clone).stdout.strip() == UP_TO_DATE
    assert run("sha256sum", "--check", "--quiet", "merged.sha256", cwd=clone / "results/tiny").returncode == 0


def test_dvc_yaml_is_what_the_graph_says(run):
    checked = run("python", "-m", "tools.write_dvc_yaml", "--check")
    assert checked.returncode == 0, checked.stderr
