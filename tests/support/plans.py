"""What Snakemake and DVC would do in this folder; called by both_engines.in_folder()."""

import contextlib
import logging
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo, lock_repo
from snakemake.scheduling.milp import Scheduler, SchedulerSettings

from pipeline.graph.list_jobs import open_graph


def plan(overlays: Sequence[str] = ()) -> dict[str, Any]:
    """Return the rule of each job that Snakemake would run, and DVC's status."""
    return {"snakemake": plan_snakemake(overlays), "dvc": Repo().status()}


def plan_snakemake(overlays: Sequence[str] = ()) -> list[str]:
    """Return the rule of each job that Snakemake would run."""
    with open_graph([Path(overlay) for overlay in overlays]) as graph:
        return sorted(job.rule.name for job in graph.needrun_jobs() if job.output)


def plan_rules(dvc: Repo | None = None) -> dict[str, list[str]]:
    """Return the rules that each engine would run."""
    return {"snakemake": sorted(set(plan_snakemake())), "dvc": list_rules((dvc or Repo()).status())}


def list_commands(overlays: list[str]) -> list[dict[str, Any]]:
    """Return rule, run, files, resources, command and its words of each job of a run from the beginning."""
    with open_graph([Path(overlay) for overlay in overlays], forceall=True) as graph:
        return [
            {
                "rule": job.rule.name,
                "run": job.wildcards_dict["run"],
                "command": job.shellcmd,
                "inputs": list(map(str, job.input)),
                "outputs": list(map(str, job.output)),
                "resources": {name: value for name, value in job.resources.items() if isinstance(value, int | str)},
                "words": shlex.split(job.shellcmd),
            }
            for job in graph.jobs
            if job.output
        ]


def list_rounds(overlays: list[str], gpus: int) -> list[list[str]]:
    """Return the rules of the jobs that Snakemake's own scheduler starts together on GPUs, if a round ends together.

    Jobs without GPUs are done as soon as they can be.
    """
    with open_graph([Path(overlay) for overlay in overlays], forceall=True) as graph:
        graph.update_priority()
        scheduler = Scheduler(graph, SchedulerSettings(), logging.getLogger())
        left, rounds = {job for job in graph.jobs if job.output}, []
        while left:
            missing = {path for job in left for path in job.output}
            ready = sorted((job for job in left if missing.isdisjoint(job.input)), key=str)
            chosen = [job for job in ready if not job.resources.get("gpu")]
            if not chosen:
                chosen = list(scheduler.select_jobs(ready, list(left), {"gpu": gpus, "_cores": 64}, {}) or ())
                rounds.append(sorted(job.rule.name for job in chosen))
            left -= set(chosen)
        return rounds


@contextlib.contextmanager
def open_dvc() -> Iterator[Repo]:
    """Yield the repository of DVC, which reads dvc.yaml and dvc.lock once for many calls of status()."""
    repo = Repo()
    with lock_repo(repo):
        yield repo


def list_rules(changed: dict[str, Any]) -> list[str]:
    """Return the rules of the stages that DVC would run: those that have changed, and those that follow."""
    stages = yaml.load(Path("dvc.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["stages"]
    names = set(changed) & set(stages)
    while followers := {name for name in set(stages) - names if set(stages[name]["deps"]) & outs_of(names, stages)}:
        names |= followers
    return sorted({name.partition("-")[0] for name in names})


def outs_of(names: set[str], stages: dict[str, Any]) -> set[str]:
    """Return the paths that stages write."""
    outs = [out for name in names for out in stages[name]["outs"]]
    return {out if isinstance(out, str) else next(iter(out)) for out in outs}
