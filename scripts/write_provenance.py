"""Write Snakemake's records of a run as a Workflow Run RO-Crate, a standard that other tools read.

    python -m scripts.write_provenance results/tiny/merged results/tiny/infer/predictions.jsonl \\
        --settings "$(python -m tools.show_settings write_provenance)" --code Snakefile rules/*.smk --out results/tiny

The crate has all recorded jobs that the named results depend on. The folder of the run becomes
the crate: beside its description goes a copy of the workflow, with the settings of the run, and with the versions of
every package at the time when its jobs ran. docs/provenance.md says how to read it.
"""

import json
from pathlib import Path
from typing import Any

from rocrate.model.entity import Entity

from pipeline.card.metadata import is_all_own
from pipeline.files.json_files import read_json
from pipeline.files.json_lines import replace_files
from pipeline.provenance.copy_workflow import copy_workflow, find_engine, name_environment
from pipeline.provenance.run_crate import COMPLETED, RunCrate, as_time, name_jobs, one_or_more
from pipeline.provenance.run_records import RecordedJob, trace_back
from pipeline.settings.run_files import RunFiles
from pipeline.settings.stage import stage_parser

CODE = ("scripts", "pipeline", "schemas")  # inputs of jobs that are not data
MODEL_RULE = "check_model"  # names the files of a model that the run did not make
MIT = "https://spdx.org/licenses/MIT"
UNKNOWN_LICENCE = "not stated: that of the model and of the data that the run was given"
WORKFLOW = "workflow"
MACHINE = "train_dpo.machine.json"
CRATE = "ro-crate-metadata.json"


def read_training_machine(record: Path) -> tuple[str, str | None]:
    """Return a text about the machine of the training, and the commit; both are empty if not recorded."""
    if not record.is_file():
        return "", None
    facts = read_json(record)
    gpus = ", ".join(facts.get("gpus") or []) or "no GPU"
    words = f"{facts['system']}, Python {facts['python']}, {facts['processor']}, {facts['cores']} cores"
    commit = f"{facts['commit']}{say_uncommitted(facts)}" if facts["commit"] else None
    return f" The training ran on {words}, {facts['memory_gib']} GiB of memory, {gpus}.", commit


def say_uncommitted(facts: dict[str, Any]) -> str:
    """Return the files that the training ran with beside its commit, in words, where they were recorded."""
    kinds = {"changed": facts.get("changed_files"), "untracked": facts.get("untracked_files")}
    named = "; ".join(f"{kind}: {', '.join(files)}" for kind, files in kinds.items() if files)
    said = " with uncommitted changes" if facts["uncommitted_changes"] else ""
    return said + (f" ({named})" if named else "")


def add_workflow(crate: RunCrate, workflow: Path, engine: str | None, commit: str | None) -> Entity:
    """Add the copy of the workflow as the crate's main entity, and return it."""
    within = workflow.relative_to(crate.folder)
    entity: Entity = crate.crate.add_workflow(
        str(workflow / "Snakefile"), str(within / "Snakefile"), main=True, lang="snakemake", lang_version=engine
    )
    entity.properties()["@type"].append("HowTo")
    for name in ("contentSize", "sha256"):
        entity[name] = crate.describe_file(workflow / "Snakefile", None)[name]
    entity["name"] = "DPO fine-tuning of gpt-oss"
    entity["license"] = crate.add(MIT, "CreativeWork", name="MIT")
    if commit:
        entity["version"] = commit
    crate.entities[str(workflow / "Snakefile")] = entity
    for path in sorted(path for path in workflow.rglob("*") if path.is_file() and path.name[0] != "."):
        crate.add_path(str(path))
    return entity


def add_rules(crate: RunCrate, jobs: list[RecordedJob], workflow: Path, entity: Entity) -> dict[str, Entity]:
    """Add a tool and a step of the workflow for each rule, and return the tools by rule."""
    tools = {}
    for position, rule in enumerate(dict.fromkeys(job.rule for job in jobs), 1):
        texts = sorted({job.environment for job in jobs if job.rule == rule and job.environment})
        needs = [crate.add_path(str(workflow / "envs" / name_environment(text))) for text in texts]
        tools[rule] = crate.add(
            f"#rule-{rule}", "SoftwareApplication", name=rule, softwareRequirements=one_or_more(needs)
        )
        step = crate.add(f"#step-{rule}", "HowToStep", name=rule, position=str(position), workExample=tools[rule])
        entity.append_to("step", step)
        entity.append_to("hasPart", tools[rule])
    return tools


def add_parameters(
    crate: RunCrate, jobs: list[RecordedJob], targets: list[str], workflow: Path, entity: Entity
) -> None:
    """Add the workflow's inputs (files that no job made and that are not code) and its results."""
    made = {output for job in jobs for output in job.outputs}
    sources = sorted({path for job in jobs for path in job.inputs if path not in made and not path.startswith(CODE)})
    groups = {"data": [crate.add_path(path) for path in sources]}
    groups["settings"] = [crate.add_path(str(workflow / "config.yaml"))]
    if models := [path for job in jobs if job.rule == MODEL_RULE for path in job.outputs]:
        groups["hashes of the base model"] = [crate.add_path(path) for path in models]
    for name, examples in groups.items():
        entity.append_to("input", crate.add_parameter("input", name, examples))
    for target in targets:
        name = str(Path(target).relative_to(crate.folder)) if Path(target).is_relative_to(crate.folder) else target
        entity.append_to("output", crate.add_parameter("output", name, [crate.add_path(target)]))


def add_run(
    crate: RunCrate, jobs: list[RecordedJob], tools: dict[str, Entity], entity: Entity, on: str
) -> list[Entity]:
    """Add the run and its jobs as actions, each with the tool that ran it, and return them, the run first."""
    names = name_jobs(jobs)
    actions = [crate.add_job(job, name, tools[job.rule]) for job, name in zip(jobs, names, strict=True)]
    run = crate.add(
        "#run",
        "CreateAction",
        name=f"Run {crate.folder.name}",
        description=f"{len(jobs)} jobs, run by Snakemake.{on}",
        instrument=entity,
        object=[example for parameter in entity["input"] for example in as_list(parameter["workExample"])],
        result=[parameter["workExample"] for parameter in entity["output"]],
        startTime=as_time(min((job.started for job in jobs if job.started), default=None)),
        endTime=as_time(max((job.ended for job in jobs if job.ended), default=None)),
        actionStatus=COMPLETED,
    )
    return [run, *actions]


def add_engine(crate: RunCrate, jobs: list[RecordedJob], actions: list[Entity], engine: str | None) -> None:
    """Add Snakemake, and the step of the workflow that it controlled with each job."""
    run, *ran = actions
    controls = [
        crate.add(
            f"#control-{action['name']}",
            "ControlAction",
            name=f"control of {action['name']}",
            instrument={"@id": f"#step-{job.rule}"},
            object=action,
        )
        for job, action in zip(jobs, ran, strict=True)
    ]
    snakemake = crate.add(
        "https://snakemake.github.io/",
        "SoftwareApplication",
        name="Snakemake",
        softwareVersion=engine,
        url="https://snakemake.github.io/",
    )
    crate.add(
        "#snakemake", "OrganizeAction", name="Snakemake's run", instrument=snakemake, object=controls, result=run,
        startTime=run.get("startTime"), endTime=run.get("endTime"),
    )  # fmt: skip


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def describe_run(crate: RunCrate, jobs: list[RecordedJob], targets: list[str], workflow: Path, machine: Path) -> None:
    """Add the workflow, its run and every file of it to the crate."""
    engine = find_engine(jobs)
    on, commit = read_training_machine(machine)
    entity = add_workflow(crate, workflow, engine, commit)
    tools = add_rules(crate, jobs, workflow, entity)
    add_parameters(crate, jobs, targets, workflow, entity)
    actions = add_run(crate, jobs, tools, entity, on)
    add_engine(crate, jobs, actions, engine)
    crate.add_profiles()
    crate.crate.root_dataset["mentions"] = actions
    crate.crate.root_dataset["datePublished"] = actions[0].get("endTime") or crate.crate.root_dataset["datePublished"]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=f"{CRATE} and {WORKFLOW}/, which is that of the run")
    parser.add_argument("targets", nargs="+", help="results of the run, as its rules name them")
    parser.add_argument("--code", type=Path, nargs="+", required=True, help="Snakefile, and the rules that it includes")
    parser.add_argument("--training", type=Path, help="folder of the run that trained its model, if it is another")
    args = parser.parse_args(argv)
    jobs = trace_back(args.targets)
    workflow = args.out / WORKFLOW
    copy_workflow(workflow, args.code, args.settings, [job.environment for job in jobs])
    crate = RunCrate(args.out, {path: digest for job in jobs for path, digest in job.checksums.items()})
    crate.crate.name = f"Run {args.out.name}: DPO fine-tuning of gpt-oss"
    crate.crate.description = "From preference pairs to a DPO-tuned model and its answers: every job, file and version."
    describe_run(crate, jobs, args.targets, workflow, RunFiles(args.out, args.training).logs["dpo"] / MACHINE)
    crate.crate.license = crate.crate.get(MIT) if is_all_own(args.settings) else UNKNOWN_LICENCE
    with replace_files(args.out / CRATE) as (out,):
        out.write(json.dumps(crate.crate.metadata.generate(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
