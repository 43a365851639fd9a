"""
Answers of the tuned model to the held-out prompts.

Reads      results/{run}/merged.sha256 and the merged model, results/{run}/data/val.jsonl
Writes     results/{run}/infer/predictions.jsonl, results/{run}/infer/gates.json
Stages     infer_shard -> gather_predictions
"""


rule infer_shard:
    """Answer the held-out prompts of shard {wildcards.shard}, which are dealt to infer.shards jobs in turn."""
    input:
        manifest=lambda wildcards: model_of(wildcards).manifest,
        merged=ancient(lambda wildcards: model_of(wildcards).built),
        adapter=lambda wildcards: model_of(wildcards).adapter,
        val=f"{SHARED}/data/val.jsonl",
    output:
        answers="results/{run}/infer/shards/{shard}.jsonl",
    log:
        "results/{run}/logs/infer_shard.{shard}.log",
        gates="results/{run}/infer/shards/{shard}.gates.json",
    benchmark:
        "results/{run}/benchmarks/infer_shard.{shard}.tsv"
    conda:
        "../envs/vllm.yaml" if config["infer"]["backend"] == "vllm" else "../envs/training.yaml"
    threads: 2
    resources:
        gpu=config["infer"]["gpus"],
        gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
    params:
        *code_of("infer_shard"),
        settings=part("infer_shard"),
        # vLLM has an environment of its own, because it pins a torch of its own.
        environment="envs/with-vllm" if config["infer"]["backend"] == "vllm" else "envs/with-training",
        model=lambda wildcards: model_of(wildcards).folder,
        adapter=lambda wildcards: model_of(wildcards).adapter_folder or [],
    shell:
        """
        {params.environment:q} python -m scripts.infer_shard \
            --settings {params.settings:q} \
            --model {params.model:q} \
            --manifest {input.manifest:q} \
            --adapter {params.adapter:q} \
            --val {input.val:q} \
            --shard {wildcards.shard:q} \
            --answers {output.answers:q} >{log[0]:q} 2>&1
        """


rule gather_predictions:
    """Put the answers into one file, in the order of the held-out pairs."""
    input:
        val=f"{SHARED}/data/val.jsonl",
        shards=expand("results/{{run}}/infer/shards/{shard}.jsonl", shard=range(config["infer"]["shards"])),
    output:
        predictions="results/{run}/infer/predictions.jsonl",
    log:
        "results/{run}/logs/gather_predictions.log",
        gates="results/{run}/infer/gates.json",
    benchmark:
        "results/{run}/benchmarks/gather_predictions.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("gather_predictions"),
        settings=part("gather_predictions"),
        out=subpath(output.predictions, parent=True),
    shell:
        """
        python -m scripts.gather_predictions {input.shards:q} \
            --settings {params.settings:q} \
            --val {input.val:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
