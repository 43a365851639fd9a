"""Edit each file of the code in turn, and print as JSON the rules that each engine would then run.

Runs in a copy of the project whose results are up to date. Both engines plan in this one process: started again for
each of some hundred edits, they would take minutes.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from dvc.repo import Repo

from pipeline.graph.list_jobs import Job, list_jobs, open_graph
from pipeline.publishing.code_digests import write_digests

COMMENT = {".py": "\n# edited\n"}
MEANING = {".py": "\nedited = 1\n", ".json": " "}


@contextlib.contextmanager
def edited(files: list[str], text: dict[str, str]) -> Iterator[None]:
    """Add a text to files, by their ending, and take it away again."""
    before = {Path(file): Path(file).read_bytes() for file in files}
    for path, content in before.items():
        path.write_bytes(content + text.get(path.suffix, "edited").encode())
    try:
        yield
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def plan() -> dict[str, list[str]]:
    """Return which rules Snakemake would run, and which stages have changed for DVC."""
    with open_graph([]) as graph:
        ours = {job.rule.name for job in graph.needrun_jobs()} - {"all"}
    write_digests()
    theirs = {name.partition("-")[0] for name in Repo().status()}
    return {"snakemake": sorted(ours), "dvc": sorted(theirs)}


def followers(rules: set[str], jobs: list[Job]) -> list[str]:
    """Return rules with all that follow from them."""
    found = {job.name for job in jobs if job.rule in rules}
    while more := {job.name for job in jobs if job.name not in found and set(job.inputs) & made_by(found, jobs)}:
        found |= more
    return sorted({job.rule for job in jobs if job.name in found})


def made_by(names: set[str], jobs: list[Job]) -> set[str]:
    """Return the files that jobs write."""
    return {output for job in jobs if job.name in names for output in job.outputs}


def main() -> None:
    jobs = list_jobs([])
    files = sorted({file for job in jobs for file in job.code})
    plans = {"nothing": plan()}
    with edited([file for file in files if file.endswith(".py")], COMMENT):
        plans["comments"] = plan()
    for file in files:
        with edited([file], MEANING):
            plans[file] = plan()
    readers = {file: {job.rule for job in jobs if file in job.code} for file in files}
    expected = {
        file: {"snakemake": followers(r, jobs), "dvc": sorted({"digest_code", *r})} for file, r in readers.items()
    }
    write_digests()  # of the code as it was
    every = {file: sorted({job.rule for job in jobs if file in job.code}) for file in files}
    json.dump({"plans": plans, "expected": expected, "readers": every}, sys.stdout)


if __name__ == "__main__":
    main()
