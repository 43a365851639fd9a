"""
The adapter merged into its model: a plain Hugging Face folder.

Reads      results/{run}/dpo/adapter.sha256 and the adapter, the model that it was trained on, and some held-out pairs
Writes     results/{run}/merged/, results/{run}/merged.sha256, results/{run}/merge/gates.json
Stages     merge_adapter; merge_sft, the same for the SFT adapter, where DPO starts from a merged model
"""


rule merge_adapter:
    """Merge the adapter into the model."""
    input:
        adapter_manifest="results/{run}/dpo/adapter.sha256",
        adapter=ancient("results/{run}/dpo/adapter"),
        model_manifest=START_MANIFEST,
        model=ancient(START_MODEL),
        val=f"{SHARED}/dpo/val.jsonl",
    output:
        merged=directory("results/{run}/merged"),
        manifest="results/{run}/merged.sha256",
    log:
        "results/{run}/logs/merge_adapter.log",
        gates="results/{run}/merge/gates.json",
    benchmark:
        "results/{run}/benchmarks/merge_adapter.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    # What inference has room for, this has: one model at a time, which then never lies in the machine's own memory.
    resources:
        gpu=config["infer"]["gpus"],
        gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
    params:
        *code_of("merge_adapter"),
        model=lambda wildcards, input: input.model or config["model"]["folder"],
        gpus=config["infer"]["gpus"],
        max_shard_size=config["merge"]["max_shard_size"],
        torch_dtype=config["infer"]["torch_dtype"],
        prompt_date=config["prompt"]["date"],
    shell:
        """
        envs/with-training python -m scripts.merge_adapter --model {params.model:q} \
            --model-manifest {input.model_manifest:q} --adapter {input.adapter:q} \
            --merged {output.merged:q} --manifest {output.manifest:q} --max-shard-size {params.max_shard_size} \
            --val {input.val:q} --gates {log.gates:q} --torch-dtype {params.torch_dtype} --gpus {params.gpus} \
            --prompt-date {params.prompt_date} >{log[0]:q} 2>&1
        """


if SFT_MERGED:

    use rule merge_adapter as merge_sft with:
        input:
            adapter_manifest="results/{run}/sft/adapter.sha256",
            adapter=ancient("results/{run}/sft/adapter"),
            model_manifest="results/{run}/model.sha256",
            model=ancient(BUILT_MODEL),
            val="results/{run}/dpo/val.jsonl",
        output:
            merged=directory("results/{run}/sft/merged"),
            manifest="results/{run}/sft/merged.sha256",
        log:
            "results/{run}/logs/merge_sft.log",
            gates="results/{run}/sft/merge/gates.json",
        benchmark:
            "results/{run}/benchmarks/merge_sft.tsv"
