"""
Preference training.

Reads      results/{run}/data/{train,val,pairs,places}.jsonl, results/{run}/model.sha256 and the model, or those of results/{run}/sft/
Writes     results/{run}/dpo/{train.jsonl,val.jsonl,tokens.json,adapter/,adapter.sha256,curves.jsonl,settings.json,
           gates.json,lora_coverage.csv,training.csv,held_out.csv,metrics.json}, results/{run}/data/token_rejects.jsonl
           beside them, not declared: results/{run}/checkpoints/dpo/, results/{run}/swanlab/
Stages     check_tokens -> train_dpo -> tabulate_curves
"""


rule check_tokens:
    """
    Check that every pair fits into dpo.max_length, has tokens to train, and the prompt that inference will send.

    The rejects are a log, because Snakemake deletes outputs of a job that stops, which is when they are read.
    """
    input:
        train=f"{SPLIT}/train.jsonl",
        val=f"{SPLIT}/val.jsonl",
        # By which a pair's place in the raw files is found: those of data.raw, and those of data.val.
        converted=[
            f"results/{{run}}/data/{folder}{name}.jsonl"
            for folder in (["", "held_out/"] if config["data"]["val"] else [""])
            for name in ("pairs", "places")
        ],
        manifest="results/{run}/model.sha256",
        model=ancient(lambda wildcards: RUNS[wildcards.run].published.built),
    output:
        train="results/{run}/dpo/train.jsonl",
        val="results/{run}/dpo/val.jsonl",
        tokens="results/{run}/dpo/tokens.json",
    log:
        "results/{run}/logs/check_tokens.log",
        rejects="results/{run}/data/token_rejects.jsonl",
    benchmark:
        "results/{run}/benchmarks/check_tokens.tsv"
    conda:
        "../envs/training.yaml"
    params:
        *code_of("check_tokens"),
        settings=part("check_tokens"),
        model=lambda wildcards: RUNS[wildcards.run].published.folder,
        out=lambda wildcards, output: str(Path(output.train).parent),
    shell:
        """
        envs/with-training python -m scripts.check_tokens {input.train:q} {input.val:q} \
            --converted {input.converted:q} \
            --settings {params.settings:q} \
            --model {params.model:q} \
            --rejects {log.rejects:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """


rule train_dpo:
    """
    Train the LoRA adapter with DPO, going on from the newest checkpoint if there is one.

    Checkpoints are a parameter, not an output: Snakemake deletes outputs before a job starts and
    after it fails, which is when they are needed; the gates are a log, because they are read after a failure.
    What its code means is a parameter, so that an edited comment costs no training (pipeline/graph/code_of.py).
    Beside --out, not declared because they differ from run to run: ../swanlab, ../logs/train_dpo.{machine.json,speed.jsonl}.
    """
    input:
        train=f"{SHARED}/dpo/train.jsonl",
        val=f"{SHARED}/dpo/val.jsonl",
        manifest=lambda wildcards: RUNS[wildcards.run].start.manifest,
        # A manifest says when its folder has changed; the time of a folder says nothing.
        model=lambda wildcards: ancient(RUNS[wildcards.run].start.built),
        sft=lambda wildcards: RUNS[wildcards.run].start.adapter,
    output:
        adapter=directory("results/{run}/dpo/adapter"),
        manifest="results/{run}/dpo/adapter.sha256",
        curves="results/{run}/dpo/curves.jsonl",
        coverage="results/{run}/dpo/lora_coverage.csv",
        settings="results/{run}/dpo/settings.json",
    log:
        "results/{run}/logs/train_dpo.log",
        gates="results/{run}/dpo/gates.json",
    benchmark:
        "results/{run}/benchmarks/train_dpo.tsv"
    # Before answers of the model before, which leave no GPUs for it; by more than all that could start in its place together.
    priority: 1000
    conda:
        "../envs/training.yaml"
    threads: config["train"]["gpus"] or config["train"]["cpu_processes"]
    resources:
        **training_resources(config["train"]),
    params:
        *code_of("train_dpo", PLUGINS),
        script="scripts.train_dpo",
        settings=part("train_dpo"),
        model=lambda wildcards: RUNS[wildcards.run].start.folder,
        sft=lambda wildcards, input: ["--sft-adapter", RUNS[wildcards.run].start.adapter_folder] if input.sft else [],
        reference=["--reference", f"{SHARED}/checkpoints/reference"],
        checkpoints="results/{run}/checkpoints/dpo",
        out="results/{run}/dpo",
    shell:
        """
        exec envs/with-training python -m {params.script:q} \
            --settings {params.settings:q} \
            --model {params.model:q} \
            --manifest {input.manifest:q} \
            {params.sft:q} \
            --pairs {input.train:q} {input.val:q} \
            {params.reference:q} \
            --checkpoints {params.checkpoints:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """


rule tabulate_curves:
    """Write the curves as tables that DVC plots, and their first and last figures."""
    input:
        curves="results/{run}/dpo/curves.jsonl",
    output:
        training="results/{run}/dpo/training.csv",
        held_out="results/{run}/dpo/held_out.csv",
        metrics="results/{run}/dpo/metrics.json",
    log:
        "results/{run}/logs/tabulate_curves.log",
    benchmark:
        "results/{run}/benchmarks/tabulate_curves.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("tabulate_curves"),
        out=lambda wildcards, output: str(Path(output.metrics).parent),
    shell:
        """
        python -m scripts.tabulate_curves {input.curves:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
