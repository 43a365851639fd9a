"""DPO fine-tuning of gpt-oss, from preference pairs to a merged model and its answers.

`snakemake --cores all` runs config.yaml: a tiny gpt-oss on the CPU, offline. A real run is an overlay:
`snakemake --cores all --configfile experiments/tutorial.yaml`.
"""

import json
import os
import re
from pathlib import Path

from snakemake.utils import min_version
from snakemake_interface_executor_plugins.settings import DeploymentMethod
from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args

min_version("9.0")

from pipeline.graph.changed_code import name_changed_code
from pipeline.settings.check import check_config
from pipeline.graph.check_machine import (
    check_machine,
    check_plan,
    refuse_future_times,
    require_plain_path,
    require_writable,
)
from pipeline.graph.code_of import code_of, with_used
from pipeline.graph.explain_failure import explain_failure
from pipeline.settings.external_results import external_files
from pipeline.files.folder_manifest import digest_of_folder
from pipeline.files.stop_once import hear_ctrl_c_once
from pipeline.graph.living_jobs import refuse_living_jobs
from pipeline.settings.model_words import name_files
from pipeline.publishing.code_digests import write_digests
from pipeline.graph.unshare_records import unshare_records
from pipeline.preferences.sources import list_source, list_sources
from pipeline.training.machine import COMMAND, describe_command
from pipeline.graph.show_progress import show_progress, stop_progress
from pipeline.settings.own_figures import own_files
from pipeline.settings.reads import hand_parts
from pipeline.settings.runs import list_runs, name_models
from pipeline.settings.strict_yaml import read_settings
from pipeline.settings.sweep import list_points
from pipeline.launch.plugins import INFERENCE, plugin_files, training_plugins
from pipeline.graph.tabulate_stages import tabulate_stages
from pipeline.settings.resources import training_resources

# Snakemake reads files whose meaning is in doubt, and of some it prints a traceback.
read_settings(Path("config.yaml"))


configfile: "config.yaml"


require_plain_path(Path.cwd())
check_config(config, [Path("config.yaml"), *workflow.overwrite_configfiles])
check_plan(config, workflow.global_resources)
unshare_records(Path(".snakemake/metadata"))
# For the record of a training. It is not a parameter: the same settings from another overlay must not train again.
os.environ[COMMAND] = describe_command(workflow.overwrite_configfiles, workflow.config_settings.config_args)

# Runs that differ in some settings, or one; up to check_tokens they share what is in the folder of the run.
POINTS = list_points(config)
RUNS = list_runs(config)
SHARED = f"results/{config['run']}"
SPLIT = f"{SHARED}/data/analyses" if config["data"]["analyses"] else f"{SHARED}/data"
ANALYSES = [f"{SPLIT}/{side}.json" for side in ("train", "val")] if config["data"]["analyses"] else []  # their accounts
SOURCES = list_sources(config["data"]["raw"], f"{SHARED}/data")
PROMPTS = list(config["infer"]["prompts"] or [])  # names of the user's own ones

# Of trainings, which depend on what they mean as on their own code.
TRACKED = config["tracking"]["mode"] != "disabled"  # by SwanLab
PLUGINS = plugin_files(training_plugins(config["train"], tracked=TRACKED))
part = hand_parts(RUNS)
model_of = name_models(RUNS)


wildcard_constraints:
    run="|".join(map(re.escape, RUNS)),
    shard=r"\d+",
    prompts="[a-z0-9][a-z0-9_-]*",
    side="train|val",
    model="base|sft|dpo",


# Of seconds each: not worth a job on a cluster.
localrules:
    all,
    tabulate_curves,
    gather_predictions,
    gather_predictions_before,
    check_neutral,
    tabulate_sweep,
    track_answers,
    write_model_card,
    write_provenance,
    write_report,
    write_sweep_report,


if PROMPTS:  # Snakemake warns of the name of a rule that is not there

    localrules:
        check_prompts,
        gather_predictions_prompts,


rule all:
    input:
        [f"results/{point.training}/dpo/metrics.json" for point in POINTS],
        [f"results/{point.run}/infer/predictions.jsonl" for point in POINTS],
        [f"results/{point.run}/infer/{name}/predictions.jsonl" for point in POINTS for name in PROMPTS],
        [f"results/{point.run}/evaluate/metrics.json" for point in POINTS],
        [f"results/{point.run}/evaluate/tracked.json" for point in POINTS if TRACKED],
        [f"results/{point.run}/model_card.md" for point in POINTS],
        [f"results/{point.run}/ro-crate-metadata.json" for point in POINTS],
        [f"results/{point.run}/report.html" for point in POINTS],
        [f"{SHARED}/sweep.csv", f"{SHARED}/sweep.svg", f"{SHARED}/sweep.html"] if config["sweep"] else [],
        [f"results/{point.training}/export/{point.training}.gguf" for point in POINTS if config["export"]["gguf"]],


include: "rules/data.smk"
include: "rules/model.smk"
include: "rules/dpo.smk"
include: "rules/sft.smk"
include: "rules/merge.smk"
include: "rules/export.smk"
include: "rules/infer.smk"
include: "rules/evaluate.smk"
include: "rules/card.smk"
include: "rules/sweep.smk"
include: "rules/report.smk"


if workflow.is_main_process:
    for run in RUNS:
        name_changed_code("train_dpo", f"results/{run}/dpo/adapter.sha256", code_of("train_dpo", PLUGINS))
    if config["sft"]["enabled"]:
        name_changed_code("train_sft", f"{SHARED}/sft/adapter.sha256", code_of("train_sft", PLUGINS))


onstart:
    jobs = list(workflow.dag.needrun_jobs())
    require_writable({Path("results"), *(Path(file).parent for job in jobs for file in [*job.output, *job.log])})
    refuse_future_times(Path(file) for job in jobs for file in job.input if not file.is_ancient)
    unfinished = [spec for job in jobs for spec in job.get_target_spec()]
    refuse_living_jobs(encode_target_jobs_cli_args(unfinished), Path.cwd())
    if workflow.executor_plugin.common_settings.local_exec:
        check_machine(config, DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method)
    show_progress(workflow)
    hear_ctrl_c_once()


onsuccess:
    stop_progress()
    write_digests()
    if any(job.rule.name == "all" for job in workflow.dag.jobs):
        print(tabulate_stages(Path(job.benchmark) for job in workflow.dag.jobs if job.benchmark))


onerror:
    stop_progress()
    print(explain_failure(log[0]))
