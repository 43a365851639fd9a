"""The graph on a real Slurm of two nodes: the resources each job asked for and got. Takes minutes; needs root.

The training is on the CPU, of a very small model, and yet asks for four H20s, so that Slurm has something to hand out.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import PATIENCE, kill_all, wait_until, with_variable
from tests.support.project import ROOT, copy_project, run_command, write_few_pairs
from tests.support.slurm_cluster import Cluster
from tests.support.tutorial_run import RESULTS, read_results

pytestmark = pytest.mark.ci("a training on a cluster that ends in other bytes, or twice")

TINY = {
    **{"hidden_size": 32, "intermediate_size": 32, "head_size": 16, "experts": 4},
    **{"vocab_size": 1024, "conversations": None, "turn_steps": 0, "training_steps": 20},
}
SMALL = {
    "run": "small",
    "data": {"raw": "few.jsonl", "val_fraction": 0.2},
    "model": {"weights": "bfloat16", "tiny": TINY},  # so that a job dequantises it
    "dpo": {"num_train_epochs": 1, "logging_steps": 2, "per_device_train_batch_size": 4},
    "infer": {"max_new_tokens": 4},
    "tracking": {"mode": "disabled"},
}
BETAS = (0.1, 0.2, 0.3)
SWEEP = SMALL | {"sweep": {"grid": {"dpo.beta": [*BETAS]}}}
PRETENDED = {"gpu": 4, "gpu_model": "h20", "nodes": 1}
ADAPTERS = [f"results/small-beta={beta}/dpo/adapter.sha256" for beta in BETAS]
# The point that is run to its end, and whose training is disturbed.
POINT, ADAPTER = f"small-beta={BETAS[0]}", ADAPTERS[0]
DPO = f"results/{POINT}/dpo"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """Start a cluster of two nodes with four pretended H20s each, and stop it after the tests."""
    if os.geteuid():
        pytest.skip("a Slurm cluster on this machine needs root, to pretend GPUs")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("a Slurm cluster on this machine needs a /etc/slurm of its own, which is not allowed here")
    with Cluster(tmp_path_factory.mktemp("slurm") / "cluster", 2) as started:
        yield started


def set_up(project: Path, settings: dict[str, Any], asked: dict[str, Any]) -> None:
    """Write an overlay into a copy of the project; `asked` is what a training asks for beside what the profile says."""
    if not project.exists():
        copy_project(project)
        write_few_pairs(project)
    (project / "small.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    profile["set-resources"]["train_dpo"] = profile["set-resources"]["train_dpo"] | asked
    (project / "profiles" / "slurm" / "config.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")


def command(cluster: Cluster, *options: str) -> list[str]:
    """Return the command that runs the graph on the cluster."""
    soon = ["--seconds-between-status-checks", "2", "--slurm-init-seconds-before-status-checks", "2"]
    profile = ["--profile", "profiles/slurm", "--configfile", "small.yaml"]
    return [*cluster.here, "snakemake", *profile, *soon, *options]


def submit(cluster: Cluster, project: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the graph on the cluster, to its end."""
    return run_command(*command(cluster, *options), cwd=project)


def read_jobs(cluster: Cluster) -> list[dict[str, str]]:
    """Return Slurm's own records of all jobs: as they were when they began, and as they ended."""
    records = sorted((cluster.folder / "jobs").iterdir(), key=lambda record: int(record.name))
    texts = [
        record.read_text(encoding="utf-8") + cluster.ask("scontrol", "show", "job", record.name) for record in records
    ]
    return [dict(re.findall(r"(\S+?)=(\S+)", text)) for text in texts]


@pytest.fixture(scope="module")
def swept(cluster, tmp_path_factory) -> dict[str, Any]:
    """Run three trainings of four GPUs each, for which there are eight, and one point to its report."""
    project = tmp_path_factory.mktemp("swept") / "project"
    set_up(project, SWEEP, PRETENDED)
    done = submit(cluster, project, *ADAPTERS, f"results/{POINT}/report.html")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {"project": project, "jobs": read_jobs(cluster), "undisturbed": read_results(project / DPO)}


def jobs_of(swept: dict[str, Any], rule: str) -> list[dict[str, str]]:
    """Return the records of the jobs of a rule, or of a group of rules."""
    return [job for job in swept["jobs"] if job["Comment"].startswith((f"rule_{rule}", f"group_{rule}"))]


def test_every_job_ends_well(swept):
    assert {job["JobState"] for job in swept["jobs"]} == {"COMPLETED"}


def test_small_stages_share_a_job_and_the_others_have_one_each(swept):
    once = dict.fromkeys(["prepare", "infer_shard_before", "merge_adapter", "infer_shard_wildcards", "describe"], 1)
    expected = once | {
        "train_dpo": 3,
        "score_pairs": 2,
        "score_neutral": 2,
    }  # under the base model, and under the point's
    assert {name: len(jobs_of(swept, name)) for name in expected} == expected
    assert len(swept["jobs"]) == sum(expected.values())


def test_a_training_asks_for_what_the_profile_says_and_for_four_h20_of_one_node(swept):
    for job in jobs_of(swept, "train_dpo"):
        assert job["TresPerJob"] == "gres:gpu:h20:4" and job["NumNodes"] == "1"
        assert (job["TimeLimit"], job["MinMemoryNode"], job["Partition"]) == ("1-00:00:00", "400000M", "gpu")


def test_a_job_without_a_training_asks_for_no_gpu(swept):
    assert not any("TresPerJob" in job for name in ("prepare", "merge_adapter") for job in jobs_of(swept, name))


def test_a_training_sees_the_gpus_that_it_was_given(swept):
    given = {(job["GRES"], job["Seen"]) for job in jobs_of(swept, "train_dpo")}
    assert given == {("gpu:h20:4(IDX:0-3)", "0,1,2,3")}


def test_two_trainings_run_at_once_on_two_nodes_and_never_hold_the_same_gpu(swept):
    trainings = jobs_of(swept, "train_dpo")
    at_once = [
        {first["Nodes"], second["Nodes"]}
        for first, second in combinations(trainings, 2)
        if first["StartTime"] < second["EndTime"] and second["StartTime"] < first["EndTime"]
    ]
    assert at_once and all(nodes == {"n1", "n2"} for nodes in at_once)


# One training of two processes, disturbed in several ways


@pytest.fixture
def undisturbed(swept) -> dict[str, bytes]:
    """Return the bytes of the training's results as the sweep left them."""
    return swept["undisturbed"]


@pytest.fixture
def project(swept) -> Path:
    """Return the project before the training, ready to run it."""
    for path in [swept["project"] / "results" / POINT / "checkpoints", *(swept["project"] / DPO / n for n in RESULTS)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    set_up(swept["project"], SWEEP, PRETENDED)
    return swept["project"]


@contextmanager
def training(cluster: Cluster, project: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Submit the training and wait until its first figures are logged; yield the job's number, and snakemake."""
    before = set(living(cluster))
    marked = os.environ | {
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "TEST_RUN": str(project),
    }
    with subprocess.Popen(
        command(cluster, ADAPTER), cwd=project, env=marked, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as snakemake:
        try:
            log = project / "results" / POINT / "checkpoints" / "dpo"
            assert wait_until(lambda: list(log.glob("*/logging.jsonl")) or snakemake.poll() is not None)
            assert snakemake.poll() is None, snakemake.communicate()[0][-3000:]
            (job,) = set(living(cluster)) - before
            yield job, snakemake
        finally:
            kill_all(lambda: with_variable(f"TEST_RUN={project}"))


def living(cluster: Cluster) -> list[str]:
    """Return the numbers of the jobs that are queued or running."""
    return cluster.ask("squeue", "--noheader", "--format=%i").split()


def read_job(cluster: Cluster, number: str) -> dict[str, str]:
    """Return Slurm's description of a job."""
    return dict(re.findall(r"(\S+?)=(\S+)", cluster.ask("scontrol", "show", "job", number)))


def trainings(cluster: Cluster) -> set[str]:
    """Return the numbers of all jobs that have trained."""
    return {job["JobId"] for job in read_jobs(cluster) if job["Comment"] == f"rule_train_dpo_wildcards_{POINT}"}


def test_a_training_that_slurm_tells_of_its_time_limit_stops_and_goes_on_in_the_next_job(cluster, project, undisturbed):
    before = trainings(cluster)
    with training(cluster, project) as (job, snakemake):
        cluster.ask("scancel", "--signal=TERM", job)  # to the job's steps alone, as --signal=TERM@600 does
        said, _ = snakemake.communicate(timeout=5 * PATIENCE)
    assert snakemake.returncode == 0, said[-3000:]
    first, second = sorted(trainings(cluster) - before, key=int)
    assert (read_job(cluster, first)["JobState"], read_job(cluster, second)["JobState"]) == ("FAILED", "COMPLETED")
    assert " --resume_from_checkpoint " in (project / "results" / POINT / "logs" / "train_dpo.log").read_text("utf-8")
    assert read_results(project / DPO) == undisturbed


def test_a_job_that_outlives_its_snakemake_is_named_and_not_submitted_again(cluster, project, undisturbed):
    before = trainings(cluster)
    with training(cluster, project) as (job, snakemake):
        cluster.ask("scontrol", "suspend", job)  # so that it does not end meanwhile
        snakemake.kill()
        snakemake.communicate()
        assert "cannot be locked" in submit(cluster, project, ADAPTER).stderr
        submit(cluster, project, "--unlock")
        refused = submit(cluster, project, ADAPTER)
        assert refused.returncode == 1
        assert (
            f"Slurm job {job}, left by an earlier snakemake, is still queued or running for 'train_dpo:"
            in refused.stderr
        )
        assert trainings(cluster) - before == {job}
        cluster.ask("scontrol", "resume", job)
        assert wait_until(lambda: job not in living(cluster))
    done = submit(cluster, project, ADAPTER)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert read_results(project / DPO) == undisturbed


@pytest.mark.nightly("a node fails")
def test_a_training_of_a_node_that_fails_goes_on_on_the_other(cluster, project, undisturbed):
    with training(cluster, project) as (job, snakemake):
        failed = read_job(cluster, job)["BatchHost"]
        cluster.kill_node(failed)
        assert wait_until(lambda: read_job(cluster, job)["JobState"] == "PENDING")
        cluster.ask("scontrol", "update", f"jobid={job}", "starttime=now")  # Slurm would wait for two minutes
        said, _ = snakemake.communicate(timeout=5 * PATIENCE)
        cluster.start_node(failed)
    assert snakemake.returncode == 0, said[-3000:]
    record = read_job(cluster, job)
    assert record["Restarts"] == "1" and record["BatchHost"] != failed and record["JobState"] == "COMPLETED"
    assert read_results(project / DPO) == undisturbed


def test_a_training_on_two_nodes_gives_the_bytes_of_two_processes_on_one(cluster, project, undisturbed):
    set_up(project, SWEEP | {"train": {"nodes": 2, "cpu_processes": 1}}, {"gres": "gpu:h20:4"})
    before = trainings(cluster)
    done = submit(cluster, project, ADAPTER)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    *_, job = sorted(trainings(cluster) - before, key=int)
    record = read_job(cluster, job)
    assert record["NodeList"] == "n[1-2]" and record["NumTasks"] == "2"
    seen = re.findall(r"Seen=(\S+)", (cluster.folder / "jobs" / job).read_text(encoding="utf-8"))
    assert set(seen) == {"0,1,2,3"} and len(seen) == 3  # the job's own script, and torchrun on each node
    assert read_results(project / DPO, "adapter", "curves.jsonl") == {
        name: data for name, data in undisturbed.items() if name.startswith(("adapter/", "curves"))
    }
