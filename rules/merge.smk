"""
Merge the adapter into its model; the result is a plain Hugging Face folder, packed (MXFP4) or in bfloat16.

Reads      results/{run}/dpo/adapter.sha256 and the adapter, the model that it was trained on, or the same packed
           (merge.format), and some held-out pairs
Writes     results/{run}/merged/, results/{run}/merged.sha256, results/{run}/merge/gates.json
Stages     merge_adapter; merge_sft, the same for the SFT adapter, where DPO starts from a merged model
"""


rule merge_adapter:
    """Merge the adapter into the model."""
    input:
        adapter_manifest="results/{run}/dpo/adapter.sha256",
        adapter=ancient("results/{run}/dpo/adapter"),
        model_manifest=lambda wildcards: RUNS[wildcards.run].merged_into.manifest,
        model=ancient(lambda wildcards: RUNS[wildcards.run].merged_into.built),
        val=f"{SHARED}/dpo/val.jsonl",
    output:
        merged=directory("results/{run}/merged"),
        manifest="results/{run}/merged.sha256",
    log:
        "results/{run}/logs/merge_adapter.log",
        gates="results/{run}/merge/gates.json",
    benchmark:
        "results/{run}/benchmarks/merge_adapter.tsv"
    # Answers of the tuned model, or a training, wait for it.
    priority: 10
    conda:
        "../envs/training.yaml"
    threads: 2
    # It needs what inference needs, since it loads one model at a time, onto the GPUs.
    resources:
        gpu=config["infer"]["gpus"],
        gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
    params:
        *code_of("merge_adapter"),
        settings=part("merge_adapter"),
        model=lambda wildcards: RUNS[wildcards.run].merged_into.folder,
        out=subpath(output.merged, parent=True),
    shell:
        """
        envs/with-training python -m scripts.merge_adapter \
            --settings {params.settings:q} \
            --model {params.model:q} \
            --manifest {input.model_manifest:q} \
            --adapter {input.adapter:q} \
            --val {input.val:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """


if config["sft"]["enabled"] and config["sft"]["join"] == "merged":

    use rule merge_adapter as merge_sft with:
        input:
            adapter_manifest="results/{run}/sft/adapter.sha256",
            adapter=ancient("results/{run}/sft/adapter"),
            model_manifest=lambda wildcards: RUNS[wildcards.run].base.manifest,
            model=ancient(lambda wildcards: RUNS[wildcards.run].base.built),
            val="results/{run}/dpo/val.jsonl",
        output:
            merged=directory("results/{run}/sft/merged"),
            manifest="results/{run}/sft/merged.sha256",
        log:
            "results/{run}/logs/merge_sft.log",
            gates="results/{run}/sft/merge/gates.json",
        benchmark:
            "results/{run}/benchmarks/merge_sft.tsv"
        params:
            settings=part("merge_sft"),
            model=lambda wildcards: RUNS[wildcards.run].base.folder,
