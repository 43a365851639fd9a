"""List the jobs of a run, as Snakemake plans them."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    StorageSettings,
)

from pipeline.graph.changed_code import as_code
from pipeline.settings.check import load_config

LARGEST_BYTES = 10**12  # files up to this size are compared by content, as profiles/default has it


@dataclass(frozen=True)
class Job:
    """A job: what Snakemake compares with its records to see whether it must run."""

    name: str  # of the rule, with the point of a sweep and the values of other wildcards
    rule: str
    point: str  # of a sweep; empty for what its points share
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    accounts: tuple[str, ...]  # written even if the job fails, so declared as logs
    code: tuple[str, ...] = field(repr=False)  # the files on which its script depends
    params: tuple[str, ...] = field(repr=False)  # the other ones
    command: str = field(repr=False)  # the rule's shell command, before anything is filled in


@contextlib.contextmanager
def open_graph(overlays: list[Path], changes: Mapping[str, Any] | None = None, forceall: bool = False) -> Iterator[Any]:
    """Yield Snakemake's own graph of config.yaml, overlays and changes, with all jobs or those that have to run."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=overlays, config=changes or {}),
            storage_settings=StorageSettings(),
            snakefile=Path("Snakefile"),
        )
        dag = workflow.dag(DAGSettings(forceall=forceall, max_checksum_file_size=LARGEST_BYTES))
        with contextlib.redirect_stdout(io.StringIO()):
            dag.printrulegraph()  # there is no other public call that builds the graph and runs nothing
        yield workflow._workflow.dag


def list_jobs(overlays: list[Path], changes: Mapping[str, Any] | None = None) -> list[Job]:
    """Return all jobs that write something, under config.yaml, overlays and changes, by rule and wildcards."""
    shared = load_config(overlays)["run"]
    with open_graph(overlays, changes, forceall=True) as graph:
        jobs = [describe_job(job, shared) for job in graph.jobs if job.output]
    return sorted(jobs, key=lambda job: job.name)


def describe_job(job: Any, shared: str) -> Job:
    """Describe one of Snakemake's own jobs. `shared` is the run that the points of a sweep share."""
    wildcards = dict(job.wildcards_dict)
    point = wildcards.pop("run").removeprefix(shared).removeprefix("-")
    values = [value for _, value in sorted(wildcards.items())]
    code = dict(filter(None, map(as_code, job.non_derived_params)))
    return Job(
        name="-".join([job.rule.name, *filter(None, [point]), *values]),
        rule=job.rule.name,
        point=point,
        inputs=tuple(map(str, job.input)),
        outputs=tuple(map(str, job.output)),
        accounts=tuple(str(log) for log in job.log if not str(log).endswith(".log")),
        code=tuple(code),
        params=tuple(sorted(repr(param) for param in job.non_derived_params if not as_code(param))),
        command=job.rule.shellcmd,
    )
