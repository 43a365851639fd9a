"""
Supervised fine-tuning before DPO, if sft.enabled; and the model that DPO starts from.

Reads      results/{run}/dpo/{train,val}.jsonl, or sft.data; results/{run}/model.sha256 and the model
Writes     results/{run}/sft/{train.jsonl,val.jsonl,adapter/,adapter.sha256,curves.jsonl,settings.json,gates.json,
           lora_coverage.csv}; beside them, not declared: results/{run}/checkpoints/sft/
Stages     prepare_sft -> train_sft (-> merge_sft, in merge.smk)
"""

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
            settings=part("prepare_sft"),
            out=lambda wildcards, output: str(Path(output.train).parent),
        shell:
            """
            python -m scripts.prepare_sft {input.train:q} {input.val:q} \
                --settings {params.settings:q} \
                --out {params.out:q} >{log[0]:q} 2>&1
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
            script="scripts.train_sft",
            settings=part("train_sft"),
            model=lambda wildcards: RUNS[wildcards.run].base.folder,
            sft=[],
            reference=[],
            checkpoints="results/{run}/checkpoints/sft",
            out="results/{run}/sft",
