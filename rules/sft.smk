"""
Supervised fine-tuning before DPO, if sft.enabled; and the model that DPO starts from.

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
SFT_FLAGS = f"--sft-adapter {SHARED}/sft/adapter --sft-manifest {SHARED}/sft/adapter.sha256" if SFT_STACKED else ""

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

    rule train_sft:
        """Train the LoRA adapter on answers alone, as train_dpo trains it on pairs."""
        input:
            train="results/{run}/sft/train.jsonl",
            val="results/{run}/sft/val.jsonl",
            manifest="results/{run}/model.sha256",
            model=ancient(BUILT_MODEL),
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
        conda:
            "../envs/training.yaml"
        threads: config["train"]["gpus"] or config["train"]["cpu_processes"]
        resources:
            **training_resources(config["train"]),
        params:
            *code_of("train_sft", PLUGINS),
            model=lambda wildcards, input: input.model or config["model"]["folder"],
            nodes=config["train"]["nodes"],
            gpus=config["train"]["gpus"],
            cpu_processes=config["train"]["cpu_processes"],
            prompt_date=config["prompt"]["date"],
            tracking=TRACKING,
            tracking_folder="results/{run}/swanlab",
            gates=json.dumps(config["gates"]),
            checkpoints="results/{run}/checkpoints/sft",
            # They differ from run to run, and so are neither outputs nor accounts that DVC keeps.
            machine="results/{run}/logs/train_sft.machine.json",
            speed="results/{run}/logs/train_sft.speed.jsonl",
            flags=swift_flags(sft_settings(config)),
        shell:
            """
            exec envs/with-training python -m scripts.train_sft --model {params.model:q} --model-manifest {input.manifest:q} \
                --train {input.train:q} --val {input.val:q} --adapter {output.adapter:q} \
                --manifest {output.manifest:q} --curves {output.curves:q} --coverage {output.coverage:q} \
                --settings {output.settings:q} --gates {log.gates:q} --gate-settings {params.gates:q} \
                --checkpoints {params.checkpoints:q} --nodes {params.nodes} --gpus {params.gpus} --cpu-processes {params.cpu_processes} \
                --prompt-date {params.prompt_date} --run {wildcards.run}-sft {params.tracking} \
                --tracking-folder {params.tracking_folder:q} --machine {params.machine:q} --speed {params.speed:q} \
                -- {params.flags} >{log[0]:q} 2>&1
            """
