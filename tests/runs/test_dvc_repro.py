"""`dvc repro`, experiments, metrics and plots, on the published results; short stages are really computed."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.processes import PATIENCE, kill, kill_all, members, wait_until
from tests.support.project import ROOT, assert_nothing_to_do, commit, dvc, link_environments, run_command

pytestmark = pytest.mark.ci("results that DVC damages, or computes from something else")

UP_TO_DATE = "Data and pipelines are up to date."
NOTHING = "Nothing to be done"


def set_resamples(clone: Path, resamples: int) -> None:
    """Edit a setting that only the evaluation reads, which takes seconds."""
    config = clone / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("resamples: 1000", f"resamples: {resamples}"), encoding="utf-8")


def read_objects(clone: Path) -> dict[str, bytes]:
    """Return every object of the cache."""
    objects = (clone / ".dvc" / "cache" / "files" / "md5").glob("??/*")
    return {str(path): path.read_bytes() for path in objects}


@pytest.mark.parametrize("link", ["hardlink", "symlink", "copy"])
def test_pull_edit_run_commit_and_checkout_leave_every_object_of_the_cache_intact(published, link):
    dvc(published, "config", "--local", "cache.type", link)
    dvc(published, "checkout", "--relink", "--quiet")
    objects = read_objects(published)
    assert_nothing_to_do(published)
    set_resamples(published, 100)
    assert run_command("snakemake", cwd=published).returncode == 0
    dvc(published, "commit", "--force", "--quiet")
    assert_nothing_to_do(published)
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=published, check=True)
    dvc(published, "checkout", "--quiet")
    assert_nothing_to_do(published)
    assert read_objects(published).items() >= objects.items()
    assert run_command("python", "-m", "tools.check_objects", cwd=published).returncode == 0


def test_a_setting_runs_its_stages_once_and_comes_back_from_the_run_cache(published):
    set_resamples(published, 100)
    ran = dvc(published, "repro")
    assert "Running stage 'evaluate_pairs'" in ran and "Running stage 'train_dpo'" not in ran
    assert_nothing_to_do(published)
    metrics = (published / "results/tiny/evaluate/metrics.json").read_bytes()
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=published, check=True)
    dvc(published, "checkout", "--quiet")
    assert_nothing_to_do(published)
    set_resamples(published, 100)
    assert "Stage 'evaluate_pairs' is cached - skipping run" in dvc(published, "repro")
    assert (published / "results/tiny/evaluate/metrics.json").read_bytes() == metrics


def test_repro_finds_an_edited_module_by_itself_and_runs_what_depends_on_it(published):
    script = published / "scripts" / "tabulate_curves.py"
    script.write_text(f"{script.read_text(encoding='utf-8')}# edited\n", encoding="utf-8")
    assert re.findall(r"Running stage '(\w+)'", dvc(published, "repro")) == ["digest_code"]
    script.write_text(f"{script.read_text(encoding='utf-8')}edited = 1\n", encoding="utf-8")
    assert re.findall(r"Running stage '(\w+)'", dvc(published, "repro")) == ["digest_code", "tabulate_curves"]
    assert_nothing_to_do(published)


def test_a_result_is_kept_when_its_code_has_changed_by_the_command_that_snakemake_names(published):
    gates = published / "pipeline" / "gates.py"
    gates.write_text(f"{gates.read_text(encoding='utf-8')}edited = 1\n", encoding="utf-8")
    said = run_command("snakemake", "--dry-run", cwd=published).stderr
    line = next(line for line in said.splitlines() if line.startswith("results/tiny/dpo/adapter.sha256:"))
    assert "pipeline/gates.py changed since; train_dpo runs again" in line
    before = (published / "results/tiny/dpo/adapter/adapter_model.safetensors").read_bytes()
    assert run_command(*shlex.split(line.rpartition(": ")[2]), cwd=published).returncode == 0
    assert "rule train_dpo:" not in run_command("snakemake", "--dry-run", cwd=published).stdout
    assert (published / "results/tiny/dpo/adapter/adapter_model.safetensors").read_bytes() == before


def test_repro_with_pull_restores_everything_without_computing(tmp_path, published):
    clone = tmp_path / "second"
    subprocess.run(["git", "clone", "--quiet", published, clone], check=True)
    link_environments(clone)
    assert "Running stage" not in dvc(clone, "repro", "--pull")
    assert_nothing_to_do(clone)


def test_an_experiment_of_one_setting_is_run_listed_and_compared(published):
    dvc(published, "exp", "run", "--name", "few", "--set-param", "config.yaml:evaluate.resamples=100")
    assert_nothing_to_do(published)
    shown = json.loads(dvc(published, "exp", "show", "--json"))
    names = [row["name"] for branch in shown for row in (exp["revs"][0] for exp in branch["experiments"] or [])]
    assert names == ["few"]
    assert "evaluate.resamples" in dvc(published, "params", "diff")


def test_an_overlay_is_an_experiment_under_its_name_and_leaves_everything_as_it_was(published):
    overlay = published / "experiments" / "short.yaml"
    overlay.write_text("evaluate:\n  resamples: 100\n", encoding="utf-8")
    command = ("python", "-m", "tools.run_experiment", "experiments/short.yaml")
    assert run_command(*command, cwd=published).stderr.splitlines()[-1].endswith("run: git add experiments/short.yaml")
    commit(published)
    done = run_command(*command, cwd=published)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Running stage 'evaluate_pairs'" in done.stdout and "Running stage 'infer_shard-0'" not in done.stdout
    assert subprocess.run(["git", "status", "--porcelain"], cwd=published, capture_output=True).stdout == b""
    assert_nothing_to_do(published)
    dvc(published, "exp", "apply", "short")
    stage = yaml.safe_load((published / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["evaluate_pairs"]
    assert {"experiments/short.yaml": ["evaluate.resamples"]} in stage["params"]
    assert dvc(published, "status").strip() == UP_TO_DATE
    assert NOTHING in run_command("snakemake", "-n", "--configfile", "experiments/short.yaml", cwd=published).stdout


def test_metrics_and_curves_can_be_shown_and_compared(published):
    metrics = published / "results" / "tiny" / "dpo" / "metrics.json"
    shown = json.loads(dvc(published, "metrics", "show", "--json"))
    assert shown[""]["data"]["results/tiny/dpo/metrics.json"]["data"] == json.loads(metrics.read_text(encoding="utf-8"))
    metrics.chmod(0o644)
    metrics.write_text(metrics.read_text(encoding="utf-8").replace('"steps": 90', '"steps": 91'), encoding="utf-8")
    assert "steps" in dvc(published, "metrics", "diff")
    dvc(published, "plots", "show", "--out", "plots")
    page = (published / "plots" / "index.html").read_text(encoding="utf-8")
    for name in ("held-out reward margin", "reward margin", "held-out loss"):
        assert name in page


# Damaged


def object_of(store: Path, clone: Path, path: str) -> Path:
    """Return the object of a result."""
    stages = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    md5 = next(out["md5"] for stage in stages.values() for out in stage["outs"] if out["path"] == path)
    return store / "files" / "md5" / md5[:2] / md5[2:]


def truncate(path: Path) -> None:
    """Cut a file, whoever may write it."""
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:100])
    path.chmod(0o444)


def test_a_damaged_object_of_the_cache_is_named(published):
    path = object_of(published / ".dvc" / "cache", published, "results/tiny/dpo/curves.jsonl")
    truncate(path)
    checked = run_command("python", "-m", "tools.check_objects", cwd=published)
    assert checked.returncode == 1
    assert checked.stderr.startswith(str(path)) and "results/tiny/dpo/curves.jsonl" in checked.stderr


def test_a_truncated_object_of_the_remote_is_named_and_does_not_get_into_results(published):
    path = object_of(published / ".dvc" / "store", published, "results/tiny/dpo/curves.jsonl")
    truncate(path)
    subprocess.run(["rm", "-rf", ".dvc/cache", "results/tiny"], cwd=published, check=True)
    pulled = run_command("dvc", "pull", cwd=published)
    assert pulled.returncode == 1
    assert "results/tiny/dpo/curves.jsonl" in pulled.stderr
    assert not (published / "results/tiny/dpo/curves.jsonl").exists()
    assert str(path) in run_command("python", "-m", "tools.check_objects", cwd=published).stderr


# Killed


STAGES = {
    "convert_preferences": ("min_margin: 1", "min_margin: 2"),
    "infer_shard_before-base-0": ("max_new_tokens: 96", "max_new_tokens: 64"),
}


def start_repro(clone: Path, stage: str) -> subprocess.Popen[str]:
    """Edit what a stage of seconds reads, start `dvc repro` in a session of its own, and wait until the stage runs."""
    config = clone / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace(*STAGES[stage]), encoding="utf-8")
    environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["dvc", "repro"], cwd=clone, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert wait_until(lambda: process.poll() is not None or list((clone / ".snakemake" / "locks").glob("*")))
    assert process.poll() is None, process.communicate()[0]
    return process


@pytest.mark.parametrize("stage", STAGES)
def test_everything_killed_leaves_a_lock_that_is_named_and_the_next_repro_goes_on(published, stage):
    process = start_repro(published, stage)
    kill_all(lambda: members(process.pid))
    process.communicate()
    again = run_command("dvc", "repro", cwd=published)
    if again.returncode:
        assert "removed with the --unlock argument" in again.stdout + again.stderr
        assert run_command("snakemake", "--unlock", cwd=published).returncode == 0
        dvc(published, "repro")
    assert_nothing_to_do(published)


@pytest.mark.parametrize("stage", STAGES)
def test_snakemake_killed_inside_repro_fails_the_stage_by_name_and_the_next_repro_goes_on(published, stage):
    process = start_repro(published, stage)
    for pid in members(process.pid, "bin/snakemake"):
        kill(pid)
    said, _ = process.communicate(timeout=PATIENCE)
    kill_all(lambda: members(process.pid))
    assert process.returncode != 0 and f"failed to reproduce '{stage}'" in said
    again = run_command("dvc", "repro", cwd=published)
    assert again.returncode and "removed with the --unlock argument" in again.stdout + again.stderr
    assert run_command("snakemake", "--unlock", cwd=published).returncode == 0
    dvc(published, "repro")
    assert_nothing_to_do(published)
