"""Edit code and settings in a copy of the project whose results are up to date, and plan after each edit.

Called by both_engines.in_folder(): started again for each of some eighty edits, the engines would take minutes.
"""

import contextlib
import functools
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo

from pipeline.graph import code_of
from pipeline.graph.changed_code import as_code
from pipeline.graph.list_jobs import Job, list_jobs, open_graph
from pipeline.publishing.code_digests import DIGESTS, write_digests
from pipeline.publishing.dvc_yaml import DVC_YAML, name_stage
from pipeline.settings.check import merge
from tests.support.plans import open_dvc, plan, plan_rules, plan_snakemake
from tools import write_dvc_yaml

CONFIG = Path("config.yaml")
COMMENT = {".py": "\n# edited\n"}
MEANING = {".py": "\nedited = 1\n", ".json": " "}
Change = dict[str, Any]


@contextlib.contextmanager
def put_back(*paths: Path) -> Iterator[None]:
    """Write files again as they were."""
    before = {path: path.read_bytes() for path in paths}
    try:
        yield
    finally:
        for path, content in before.items():
            path.write_bytes(content)


@contextlib.contextmanager
def edited(files: list[str], text: dict[str, str]) -> Iterator[None]:
    """Add a text to files, by their ending, and take it away again."""
    paths = list(map(Path, files))
    with put_back(*paths, DIGESTS):
        for path in paths:
            path.write_bytes(path.read_bytes() + text.get(path.suffix, "edited").encode())
        yield


def plan_code_edits() -> dict[str, Any]:
    """Return the plans after edits of comments, of all files at once and of single files, and what they should be.

    A single file stands for all after which the same rules run.
    """
    jobs = list_jobs([])
    files = sorted({file for job in jobs for file in job.code})
    readers = {file: {job.rule for job in jobs if file in job.code} for file in files}
    alone = {tuple(followers(rules, jobs)): file for file, rules in readers.items()}
    with edited([file for file in files if file.endswith(".py")], COMMENT):
        write_digests()
        comments = plan()
    with edited(files, MEANING):
        write_digests()
        changed = {"snakemake": changed_in_snakemake(), "dvc": changed_in_dvc()}
    return {
        "comments": comments,
        "changed": changed,
        "code": {name_stage(job): sorted(job.code) for job in jobs},
        "alone": {file: plan_edit_of(file) for file in alone.values()},
        "followers": {file: list(rules) for rules, file in alone.items()},
        "readers": {file: sorted(rules) for file, rules in readers.items()},
    }


def plan_edit_of(file: str) -> list[str]:
    """Return the rules that Snakemake would run after an edit of one file."""
    with edited([file], MEANING):
        return sorted(set(plan_snakemake()))


def changed_in_snakemake() -> dict[str, list[str]]:
    """Return the files whose digests Snakemake finds changed, for each job by the name of its stage."""
    stages = {job.outputs: name_stage(job) for job in list_jobs([])}
    with open_graph([]) as graph:
        return {
            stages[tuple(map(str, job.output))]: sorted(changed_code(graph.workflow.persistence, job))
            for job in graph.jobs
            if job.output
        }


def changed_code(records: Any, job: Any) -> set[str]:
    """Return the files of code that each record of a job's outputs has with another digest."""
    lines = [records.params_changed(job, file=output) for output in job.output]
    return set.intersection(*(code_in(side) for line in lines for side in (line.only_old, line.only_new)))


def code_in(params: set[str]) -> set[str]:
    """Return the files in lines of code_of(), as Snakemake records them."""
    return {code[0] for param in params if (code := as_code(param.strip("'")))}


def changed_in_dvc() -> dict[str, list[str]]:
    """Return the files of code that DVC finds changed, for each stage: by their digests, and at first by themselves."""
    changed = {}
    for stage, entries in Repo().status().items():
        deps = entries[0]["changed deps"]
        changed[stage] = sorted(deps.get(str(DIGESTS), deps))
    return changed


def plan_setting_edits(changes: dict[str, Change]) -> dict[str, Any]:
    """Return the rules that each engine would run after another value of each setting, or how planning failed."""
    code_of.used_by = functools.cache(code_of.used_by)  # the code stays as it is
    with open_dvc() as dvc:
        return {setting: try_plan(change, dvc) for setting, change in changes.items()}


def plan_other_graphs(changes: dict[str, Change]) -> dict[str, Any]:
    """Do the same for settings that change the graph, which dvc.yaml has to know."""
    return {setting: try_plan(change) for setting, change in changes.items()}


def try_plan(change: Change, dvc: Repo | None = None) -> dict[str, Any]:
    """Change settings, plan, and put everything back."""
    with put_back(CONFIG, DVC_YAML):
        settings = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        CONFIG.write_text(yaml.safe_dump(merge(settings, change), sort_keys=False), encoding="utf-8")
        try:
            if dvc is None:
                write_dvc_yaml.main([])
            return plan_rules(dvc)
        except (Exception, SystemExit):
            return {"failed": traceback.format_exc()}


def followers(rules: set[str], jobs: list[Job]) -> list[str]:
    """Return rules with all that follow from them."""
    found = {job.name for job in jobs if job.rule in rules}
    while more := {job.name for job in jobs if job.name not in found and set(job.inputs) & made_by(found, jobs)}:
        found |= more
    return sorted({job.rule for job in jobs if job.name in found})


def made_by(names: set[str], jobs: list[Job]) -> set[str]:
    """Return the files that jobs write."""
    return {output for job in jobs if job.name in names for output in job.outputs}
