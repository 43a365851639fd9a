"""
Answers of the tuned model to the held-out prompts.

Reads      results/{run}/merged.sha256 and the merged model, results/{run}/data/val.jsonl
Writes     results/{run}/infer/predictions.jsonl, results/{run}/infer/gates.json
Stages     infer_shard -> gather_predictions
"""

SHARDS = range(config["infer"]["shards"])
# vLLM has an environment of its own, because it pins a torch of its own.
VLLM = config["infer"]["backend"] == "vllm"
# The run whose training a run answers with: points that differ in `infer` alone share one.
TRAINED_BY = {run: run for run in SETTINGS} | {point.run: point.training for point in POINTS}


rule infer_shard:
    """Answer every n-th held-out prompt, from number {wildcards.shard} on, n being {params.shards}."""
    input:
        manifest=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/merged.sha256",
        merged=ancient(lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/merged"),
        adapter=[],
        val=f"{SHARED}/data/val.jsonl",
    output:
        answers="results/{run}/infer/shards/{shard}.jsonl",
    log:
        "results/{run}/logs/infer_shard.{shard}.log",
        gates="results/{run}/infer/shards/{shard}.gates.json",
    benchmark:
        "results/{run}/benchmarks/infer_shard.{shard}.tsv"
    conda:
        "../envs/vllm.yaml" if VLLM else "../envs/training.yaml"
    threads: 2
    resources:
        gpu=config["infer"]["gpus"],
        gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
    params:
        *code_of("infer_shard"),
        model=lambda wildcards, input: model_flags(input.merged or config["model"]["folder"], input.adapter),
        shards=len(SHARDS),
        gpus=config["infer"]["gpus"],
        prompt_date=config["prompt"]["date"],
        flags=lambda wildcards: swift_flags(infer_settings(SETTINGS[wildcards.run])),
    shell:
        """
        envs/with-training python -m scripts.infer_shard {params.model} --model-manifest {input.manifest:q} --val {input.val:q} \
            --gates {log.gates:q} --answers {output.answers:q} --shard {wildcards.shard} --shards {params.shards} \
            --gpus {params.gpus} --prompt-date {params.prompt_date} -- {params.flags} >{log[0]:q} 2>&1
        """.replace("with-training", "with-vllm" if VLLM else "with-training")


rule gather_predictions:
    """Put the answers into one file, in the order of the held-out pairs."""
    input:
        val=f"{SHARED}/data/val.jsonl",
        shards=expand("results/{{run}}/infer/shards/{shard}.jsonl", shard=SHARDS),
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
    shell:
        """
        python -m scripts.gather_predictions {input.shards:q} --val {input.val:q} --predictions {output.predictions:q} \
            --gates {log.gates:q} >{log[0]:q} 2>&1
        """
