"""
From raw preference data to the files that training and inference read.

Reads      data.raw (the embedded pairs are fetched by data.dvc)
Writes     results/{run}/data/{pairs.jsonl,places.jsonl,rejects.jsonl,quality.json,train.jsonl,val.jsonl,gates.json}
Stages     convert_preferences -> split_preferences
"""


rule convert_preferences:
    """
    Check every raw row, and write the pairs as ms-swift reads them.

    The rejects and the account are logs, because Snakemake deletes outputs of a job that stops, which is
    when they are read.
    """
    input:
        schema="schemas/pair.schema.json",
        raw=list_raw(config["data"]["raw"], f"{SHARED}/data").files,
    output:
        pairs="results/{run}/data/pairs.jsonl",
        places="results/{run}/data/places.jsonl",
    log:
        "results/{run}/logs/convert_preferences.log",
        rejects="results/{run}/data/rejects.jsonl",
        quality="results/{run}/data/quality.json",
    benchmark:
        "results/{run}/benchmarks/convert_preferences.tsv"
    conda:
        "../envs/workflow.yaml"
    threads: 8
    params:
        *code_of("convert_preferences"),
        raw=lambda wildcards: config["data"]["raw"],
        settings=part("convert_preferences"),
        out=lambda wildcards, output: str(Path(output.pairs).parent),
    shell:
        """
        python -m scripts.convert_preferences {params.raw:q} \
            --settings {params.settings:q} \
            --cores {threads:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """


rule split_preferences:
    """Hold out data.val_fraction of the prompts."""
    input:
        pairs="results/{run}/data/pairs.jsonl",
    output:
        train="results/{run}/data/train.jsonl",
        val="results/{run}/data/val.jsonl",
    log:
        "results/{run}/logs/split_preferences.log",
        gates="results/{run}/data/gates.json",
    benchmark:
        "results/{run}/benchmarks/split_preferences.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("split_preferences"),
        settings=part("split_preferences"),
        # A log of the conversion, and so no input.
        quality="results/{run}/data/quality.json",
        out=lambda wildcards, output: str(Path(output.train).parent),
    shell:
        """
        python -m scripts.split_preferences {input.pairs:q} \
            --settings {params.settings:q} \
            --quality {params.quality:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
