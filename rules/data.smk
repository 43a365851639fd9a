"""
From raw preference pairs to the files that training and inference read.

Reads      data.raw (fetched by data.dvc)
Writes     results/{run}/data/{pairs,train,val}.jsonl
Stages     convert_preferences -> split_preferences
"""


rule convert_preferences:
    """Check every raw pair and write it as ms-swift reads it."""
    input:
        script="scripts/convert_preferences.py",
        schema="schemas/pair.schema.json",
        raw=config["data"]["raw"],
    output:
        pairs="results/{run}/data/pairs.jsonl",
    log:
        "results/{run}/logs/convert_preferences.log",
    benchmark:
        "results/{run}/benchmarks/convert_preferences.tsv"
    conda:
        "../envs/workflow.yaml"
    shell:
        """
        python {input.script:q} {input.raw:q} --pairs {output.pairs:q} >{log:q} 2>&1
        """


rule split_preferences:
    """Hold out {params.fraction} of the prompts."""
    input:
        script="scripts/split_preferences.py",
        pairs="results/{run}/data/pairs.jsonl",
    output:
        train="results/{run}/data/train.jsonl",
        val="results/{run}/data/val.jsonl",
    log:
        "results/{run}/logs/split_preferences.log",
    benchmark:
        "results/{run}/benchmarks/split_preferences.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        fraction=config["data"]["val_fraction"],
        seed=config["data"]["split_seed"],
    shell:
        """
        python {input.script:q} {input.pairs:q} --train {output.train:q} --val {output.val:q} \
            --val-fraction {params.fraction} --seed {params.seed} >{log:q} 2>&1
        """
