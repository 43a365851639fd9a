"""DPO fine-tuning of gpt-oss, from preference pairs to a merged model and its answers.

`snakemake --cores all` runs config.yaml: a tiny gpt-oss on the CPU, offline. A real run is an overlay:
`snakemake --cores all --configfile experiments/tutorial.yaml`.
"""

import json
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")
sys.path.insert(0, f"{workflow.basedir}/scripts")

from check_config import check_config
from check_machine import check_machine, check_plan
from explain_failure import explain_failure
from own_records import own_records
from preferences.open_raw import list_raw_files
from swift_flags import sft_settings, swift_flags


configfile: "config.yaml"


check_config(config, [Path("config.yaml"), *workflow.overwrite_configfiles])
check_plan(config, workflow.global_resources)
own_records(Path(".snakemake/metadata"))


# What every training is told of SwanLab.
TRACKING = swift_flags(
    {
        "tracking-mode": config["tracking"]["mode"],
        "tracking-project": config["tracking"]["project"],
        "tracking-host": config["tracking"]["host"],
    }
)


wildcard_constraints:
    run=config["run"],
    shard=r"\d+",


localrules:
    all,


rule all:
    input:
        expand("results/{run}/{result}", run=config["run"], result=["dpo/metrics.json", "infer/predictions.jsonl"]),


include: "rules/data.smk"
include: "rules/model.smk"
include: "rules/sft.smk"
include: "rules/dpo.smk"
include: "rules/merge.smk"
include: "rules/infer.smk"


onstart:
    if workflow.executor_plugin.common_settings.local_exec:
        check_machine(config)


onerror:
    print(explain_failure(log[0]))
