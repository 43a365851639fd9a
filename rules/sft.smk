"""
Supervised fine-tuning before DPO, where sft.enabled asks for it; and which model DPO starts from.

Reads      results/{run}/dpo/{train,val}.jsonl, or sft.data; results/{run}/model.sha256 and the model
Writes     results/{run}/sft/{train.jsonl,val.jsonl,adapter/,adapter.sha256,curves.jsonl,settings.json,gates.json,
           lora_coverage.csv}; beside them, not declared: results/{run}/checkpoints/sft/
Stages     prepare_sft -> train_sft (-> merge_sft, in merge.smk)
"""

SFT_MERGED = config["sft"]["enabled"] and config["sft"]["join"] == "merged"
SFT_STACKED = config["sft"]["enabled"] and config["sft"]["join"] == "stacked"

# What train_dpo starts from, and merge_adapter merges into: the model, or the model with the SFT adapter merged.
START_MODEL = f"{SHARED}/sft/merged" if SFT_MERGED else BUILT_MODEL
START_MANIFEST = f"{SHARED}/sft/merged.sha256" if SFT_MERGED else f"{SHARED}/model.sha256"
# Where the adapters are stacked, DPO goes on training the SFT adapter, and its reference has a copy of it.
START_ADAPTER = [f"{SHARED}/sft/adapter.sha256"] if SFT_STACKED else []

if config["sft"]["enabled"]:

    rule prepare_sft:
        """Write the conversations of the SFT: prompts with their chosen answers, or those of sft.data."""
        input:
            train="results/{run}/dpo/train.jsonl",
            val="results/{run}/dpo/val.jsonl",
            data=config["sft"]["data"] or [],
        output:
            train="results/{run}/sft/train.jsonl",
            val="results/{run}/sft/val.jsonl",
        log:
            "results/{run}/logs/prepare_sft.log",
        benchmark:
            "results/{run}/benchmarks/prepare_sft.tsv"
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("prepare_sft"),
            data=lambda wildcards, input: f"--data {input.data}" if input.data else "",
        shell:
            """
            python -m scripts.prepare_sft {input.train:q} {input.val:q} {params.data} --train {output.train:q} \
                --val {output.val:q} >{log:q} 2>&1
            """

    # Train the LoRA adapter on answers alone, as train_dpo trains it on pairs.
    use rule train_dpo as train_sft with:
        input:
            train="results/{run}/sft/train.jsonl",
            val="results/{run}/sft/val.jsonl",
            manifest=lambda wildcards: RUNS[wildcards.run].base.manifest,
            model=lambda wildcards: ancient(RUNS[wildcards.run].base.built),
        output:
            adapter=directory("results/{run}/sft/adapter"),
            manifest="results/{run}/sft/adapter.sha256",
            curves="results/{run}/sft/curves.jsonl",
            coverage="results/{run}/sft/lora_coverage.csv",
            settings="results/{run}/sft/settings.json",
        log:
            "results/{run}/logs/train_sft.log",
            gates="results/{run}/sft/gates.json",
        benchmark:
            "results/{run}/benchmarks/train_sft.tsv"
        params:
            *code_of("train_sft", PLUGINS),
            settings=part("train_sft"),
            model=lambda wildcards: RUNS[wildcards.run].base.folder,
            sft=[],
            reference=[],
            checkpoints="results/{run}/checkpoints/sft",
            out="results/{run}/sft",
