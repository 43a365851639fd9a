"""
From raw preference data to the files that training and inference read.

Reads      data.raw (the embedded pairs are fetched by data.dvc), data.val
Writes     results/{run}/data/{pairs.jsonl,places.jsonl,rejects.jsonl,quality.json,train.jsonl,val.jsonl,gates.json}; with data.val,
           the first four in data/held_out/ too, and data/val_overlap.jsonl
Stages     convert_preferences -> split_preferences, or convert_preferences, convert_val -> hold_out_pairs
"""


rule convert_preferences:
    """
    Check every raw row, and write the pairs as ms-swift reads them.

    The rejects and the account are logs, because Snakemake deletes outputs of a job that stops, which is
    when they are read.
    """
    input:
        schema="schemas/pair.schema.json",
        raw=[file for source in SOURCES for file in source.files],
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
        raw=[source.name for source in SOURCES],
        settings=part("convert_preferences"),
        out=lambda wildcards, output: str(Path(output.pairs).parent),
    shell:
        """
        python -m scripts.convert_preferences {params.raw:q} \
            --settings {params.settings:q} \
            --cores {threads:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """


if config["data"]["val"]:

    # Check the pairs to hold out, as convert_preferences checks the others.
    use rule convert_preferences as convert_val with:
        input:
            schema="schemas/pair.schema.json",
            raw=list_source(config["data"]["val"], None, f"{SHARED}/data/held_out", "data.val").files,
        output:
            pairs="results/{run}/data/held_out/pairs.jsonl",
            places="results/{run}/data/held_out/places.jsonl",
        log:
            "results/{run}/logs/convert_val.log",
            rejects="results/{run}/data/held_out/rejects.jsonl",
            quality="results/{run}/data/held_out/quality.json",
        benchmark:
            "results/{run}/benchmarks/convert_val.tsv"
        params:
            raw=lambda wildcards: config["data"]["val"],
            settings=part("convert_val"),

    rule hold_out_pairs:
        """
        Hold the pairs of data.val out.

        What they share with the others is a log, because Snakemake deletes outputs of a job that stops, which is when it
        is read.
        """
        input:
            pairs="results/{run}/data/pairs.jsonl",
            held_out="results/{run}/data/held_out/pairs.jsonl",
            # By which a pair's place in the raw files is found.
            places=["results/{run}/data/places.jsonl", "results/{run}/data/held_out/places.jsonl"],
        output:
            train="results/{run}/data/train.jsonl",
            val="results/{run}/data/val.jsonl",
        log:
            "results/{run}/logs/hold_out_pairs.log",
            gates="results/{run}/data/gates.json",
            overlap="results/{run}/data/val_overlap.jsonl",
        benchmark:
            "results/{run}/benchmarks/hold_out_pairs.tsv"
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("hold_out_pairs"),
            settings=part("hold_out_pairs"),
            # Logs of the conversions, and so no inputs.
            quality=["results/{run}/data/quality.json", "results/{run}/data/held_out/quality.json"],
            out=lambda wildcards, output: str(Path(output.train).parent),
        shell:
            """
            python -m scripts.hold_out_pairs {input.pairs:q} {input.held_out:q} \
                --settings {params.settings:q} \
                --places {input.places:q} \
                --quality {params.quality:q} \
                --out {params.out:q} >{log[0]:q} 2>&1
            """

else:

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
