"""
The adapter merged into its model: a plain Hugging Face folder.

Reads      results/{run}/dpo/adapter.sha256 and the adapter, results/{run}/model.sha256 and the model
Writes     results/{run}/merged/, results/{run}/merged.sha256
Stages     merge_adapter
"""


rule merge_adapter:
    """Merge the adapter into the model."""
    input:
        script="scripts/merge_adapter.py",
        adapter_manifest="results/{run}/dpo/adapter.sha256",
        adapter=ancient("results/{run}/dpo/adapter"),
        model_manifest=f"{SHARED}/model.sha256",
        model=ancient(BUILT_MODEL),
    output:
        merged=directory("results/{run}/merged"),
        manifest="results/{run}/merged.sha256",
    log:
        "results/{run}/logs/merge_adapter.log",
    benchmark:
        "results/{run}/benchmarks/merge_adapter.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    params:
        model=lambda wildcards, input: input.model or config["model"]["folder"],
        max_shard_size=config["merge"]["max_shard_size"],
        prompt_date=config["prompt"]["date"],
    shell:
        """
        envs/with-training python {input.script:q} --model {params.model:q} --adapter {input.adapter:q} \
            --merged {output.merged:q} --manifest {output.manifest:q} --max-shard-size {params.max_shard_size} \
            --prompt-date {params.prompt_date} >{log:q} 2>&1
        """
