"""
Preference training.

Reads      results/{run}/data/{train,val}.jsonl, results/{run}/model.sha256 and the model, or those of results/{run}/sft/
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
        train="results/{run}/data/train.jsonl",
        val="results/{run}/data/val.jsonl",
        manifest="results/{run}/model.sha256",
        model=ancient(lambda wildcards: RUNS[wildcards.run].base.built),
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
        model=lambda wildcards: RUNS[wildcards.run].base.folder,
        out=lambda wildcards, output: str(Path(output.train).parent),
    shell:
        """
        envs/with-training python -m scripts.check_tokens {input.train:q} {input.val:q} \
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
    """
    input:
        train=f"{SHARED}/dpo/train.jsonl",
        val=f"{SHARED}/dpo/val.jsonl",
        manifest=START_MANIFEST,
        # A manifest says when its folder has changed; the time of a folder says nothing.
        model=ancient(START_MODEL),
        sft=START_ADAPTER,
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
    conda:
        "../envs/training.yaml"
    threads: config["train"]["gpus"] or config["train"]["cpu_processes"]
    resources:
        **training_resources(config["train"]),
    params:
        *code_of("train_dpo", PLUGINS),
        model=lambda wildcards, input: input.model or config["model"]["folder"],
        nodes=config["train"]["nodes"],
        gpus=config["train"]["gpus"],
        cpu_processes=config["train"]["cpu_processes"],
        fast=[lever for lever, wanted in config["train"]["fast"].items() if wanted],
        reference=f"{SHARED}/checkpoints/reference",
        prompt_date=config["prompt"]["date"],
        tracking=TRACKING,
        tracking_folder="results/{run}/swanlab",
        sft=SFT_FLAGS,
        gates=json.dumps(config["gates"]),
        checkpoints="results/{run}/checkpoints/dpo",
        # They differ from run to run, and so are neither outputs nor accounts that DVC keeps.
        machine="results/{run}/logs/train_dpo.machine.json",
        speed="results/{run}/logs/train_dpo.speed.jsonl",
        flags=lambda wildcards: swift_flags(SETTINGS[wildcards.run]["dpo"]),
    shell:
        """
        exec envs/with-training python -m scripts.train_dpo --model {params.model:q} --model-manifest {input.manifest:q} \
            {params.sft} --train {input.train:q} --val {input.val:q} --adapter {output.adapter:q} \
            --manifest {output.manifest:q} --curves {output.curves:q} --coverage {output.coverage:q} \
            --settings {output.settings:q} --gates {log.gates:q} --gate-settings {params.gates:q} \
            --checkpoints {params.checkpoints:q} --nodes {params.nodes} --gpus {params.gpus} --cpu-processes {params.cpu_processes} \
            --fast {params.fast} --reference {params.reference:q} --prompt-date {params.prompt_date} --run {wildcards.run} {params.tracking} \
            --tracking-folder {params.tracking_folder:q} --machine {params.machine:q} --speed {params.speed:q} \
            -- {params.flags} >{log[0]:q} 2>&1
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
