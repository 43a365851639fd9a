"""`dvc repro`, experiments, metrics and plots, on the published results; short stages are really computed."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.both_engines import assert_nothing_half_made, assert_nothing_to_do, in_folder
from tests.support.processes import PATIENCE, kill, kill_all, members, wait_until
from tests.support.project import ROOT, commit, dvc, link_environments, run_command

pytestmark = pytest.mark.ci("results that DVC damages, or computes from something else")

NOTHING = {"snakemake": [], "dvc": {}}
# A setting that the evaluation reads, with what follows, and one that only two stages of seconds read.
RESAMPLES = ("resamples: 1000", "resamples: 100")
GPU_MODEL = ("gpu_model: h20", "gpu_model: h100")


def edit_config(clone: Path, old: str, new: str) -> None:
    """Give a setting another value."""
    config = clone / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


def take_back(clone: Path) -> None:
    """Check out what was committed, in git and in DVC."""
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=clone, check=True)
    dvc(clone, "checkout", "--quiet")


def read_objects(clone: Path) -> dict[str, bytes]:
    """Return every object of the cache."""
    objects = (clone / ".dvc" / "cache" / "files" / "md5").glob("??/*")
    return {str(path): path.read_bytes() for path in objects}


def assert_objects_are_kept(clone: Path, objects: dict[str, bytes]) -> None:
    """See that the cache still has these objects, and that all that it has are intact."""
    assert read_objects(clone).items() >= objects.items()
    assert run_command("python", "-m", "tools.check_objects", cwd=clone).returncode == 0


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_pull_edit_run_commit_and_checkout_leave_every_object_of_the_cache_intact(published, link):
    dvc(published, "config", "--local", "cache.type", link)
    dvc(published, "checkout", "--relink", "--quiet")
    objects = read_objects(published)
    assert_nothing_to_do(published)
    edit_config(published, *RESAMPLES)
    assert run_command("snakemake", cwd=published).returncode == 0
    dvc(published, "commit", "--force", "--quiet")
    assert_nothing_to_do(published)
    take_back(published)
    assert_nothing_to_do(published)
    assert_objects_are_kept(published, objects)


def test_a_setting_runs_its_stages_once_and_comes_back_from_the_run_cache_and_leaves_every_object_intact(published):
    dvc(published, "config", "--local", "cache.type", "copy")
    objects = read_objects(published)
    edit_config(published, *GPU_MODEL)
    assert re.findall(r"Running stage '(\w+)'", dvc(published, "repro")) == ["write_report", "write_provenance"]
    assert_nothing_to_do(published)
    report = (published / "results/tiny/report.html").read_bytes()
    take_back(published)
    assert_nothing_to_do(published)
    assert (published / "results/tiny/report.html").read_bytes() != report
    edit_config(published, *GPU_MODEL)
    assert "Stage 'write_report' is cached - skipping run" in dvc(published, "repro")
    assert (published / "results/tiny/report.html").read_bytes() == report
    assert_objects_are_kept(published, objects)


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
    assert "train_dpo" not in in_folder(published, "tests.support.plans:plan_snakemake")
    assert (published / "results/tiny/dpo/adapter/adapter_model.safetensors").read_bytes() == before


def test_repro_with_pull_restores_everything_without_computing(tmp_path, published):
    clone = tmp_path / "second"
    subprocess.run(["git", "clone", "--quiet", published, clone], check=True)
    link_environments(clone)
    assert "Running stage" not in dvc(clone, "repro", "--pull")
    assert_nothing_to_do(clone)


def test_an_experiment_of_one_setting_is_run_listed_and_compared(published):
    dvc(published, "exp", "run", "--name", "few", "--set-param", "config.yaml:train.gpu_model=h100")
    assert_nothing_to_do(published)
    shown = json.loads(dvc(published, "exp", "show", "--json"))
    names = [row["name"] for branch in shown for row in (exp["revs"][0] for exp in branch["experiments"] or [])]
    assert names == ["few"]
    assert "train.gpu_model" in dvc(published, "params", "diff")


def test_an_overlay_is_an_experiment_under_its_name_and_leaves_everything_as_it_was(published):
    overlay = published / "experiments" / "short.yaml"
    overlay.write_text("train:\n  gpu_model: h100\n", encoding="utf-8")
    command = ("python", "-m", "tools.run_experiment", "experiments/short.yaml")
    assert run_command(*command, cwd=published).stderr.splitlines()[-1].endswith("run: git add experiments/short.yaml")
    commit(published)
    done = run_command(*command, cwd=published)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"Running stage '(\w+)'", done.stdout) == ["write_report", "write_provenance"]
    assert subprocess.run(["git", "status", "--porcelain"], cwd=published, capture_output=True).stdout == b""
    assert_nothing_to_do(published)
    dvc(published, "exp", "apply", "short")
    stage = yaml.safe_load((published / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["write_report"]
    assert {"experiments/short.yaml": ["train.gpu_model"]} in stage["params"]
    assert in_folder(published, "tests.support.plans:plan", ["experiments/short.yaml"]) == NOTHING


def test_metrics_and_curves_can_be_shown_and_compared(published):
    metrics = published / "results" / "tiny" / "dpo" / "metrics.json"
    shown = json.loads(dvc(published, "metrics", "show", "--json"))
    assert shown[""]["data"]["results/tiny/dpo/metrics.json"]["data"] == json.loads(metrics.read_text(encoding="utf-8"))
    metrics.chmod(0o644)
    metrics.write_text(metrics.read_text(encoding="utf-8").replace('"steps": 60', '"steps": 61'), encoding="utf-8")
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


# Stages of seconds, and what is edited so that they run. What follows from them is not asked for.
STAGES = {
    "convert_preferences": ("min_margin: 1", "min_margin: 2"),
    "infer_shard_before-base-0": ("max_new_tokens: 32", "max_new_tokens: 24"),
}


def start_repro(clone: Path, stage: str) -> subprocess.Popen[str]:
    """Edit what a stage reads, start `dvc repro` of it in a session of its own, and wait until it runs."""
    edit_config(clone, *STAGES[stage])
    environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["dvc", "repro", stage], cwd=clone, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert wait_until(lambda: process.poll() is not None or is_locked(clone))
    assert process.poll() is None, process.communicate()[0]
    return process


def is_locked(clone: Path) -> bool:
    """Say whether Snakemake has written the last of its locks."""
    return any(lock.read_bytes() for lock in (clone / ".snakemake" / "locks").glob("*.output.lock"))


def unlock_and_go_on(clone: Path, stage: str) -> None:
    """Reproduce the stage as the message about a lock says; both engines must find it up to date then."""
    again = run_command("dvc", "repro", stage, cwd=clone)
    assert again.returncode and "removed with the --unlock argument" in again.stdout + again.stderr
    assert run_command("snakemake", "--unlock", cwd=clone).returncode == 0
    dvc(clone, "repro", stage)
    planned = in_folder(clone, "tests.support.plans:plan")
    assert stage not in planned["dvc"] and stage.partition("-")[0] not in planned["snakemake"]
    assert_nothing_half_made(clone)


@pytest.mark.parametrize("stage", STAGES)
def test_everything_killed_leaves_a_lock_that_is_named_and_the_next_repro_goes_on(published, stage):
    process = start_repro(published, stage)
    kill_all(lambda: members(process.pid))
    process.communicate()
    unlock_and_go_on(published, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_snakemake_killed_inside_repro_fails_the_stage_by_name_and_the_next_repro_goes_on(published, stage):
    process = start_repro(published, stage)
    for pid in members(process.pid, "bin/snakemake"):
        kill(pid)
    said, _ = process.communicate(timeout=PATIENCE)
    kill_all(lambda: members(process.pid))
    assert process.returncode != 0 and f"failed to reproduce '{stage}'" in said
    unlock_and_go_on(published, stage)
