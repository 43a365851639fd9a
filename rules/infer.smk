"""
Answers of the tuned model to the held-out prompts, and to prompts of one's own; of the base model to those of all pairs.

Reads      results/{run}/merged.sha256 and the merged model, results/{run}/dpo/val.jsonl, the files in infer.prompts
Writes     results/{run}/infer/predictions.jsonl, results/{run}/infer/gates.json, and the same under infer/{prompts}/
Stages     infer_shard -> gather_predictions; check_prompts -> infer_shard_prompts -> gather_predictions_prompts;
           infer_shard_analyses -> add_analyses, where data.analyses asks for them
"""


rule infer_shard:
    """Answer the held-out prompts of shard {wildcards.shard}, which are dealt to infer.shards jobs in turn."""
    input:
        manifest=lambda wildcards: model_of(wildcards).manifest,
        merged=ancient(lambda wildcards: model_of(wildcards).built),
        adapter=lambda wildcards: model_of(wildcards).adapter,
        val=f"{SHARED}/dpo/val.jsonl",
    output:
        answers="results/{run}/infer/shards/{shard}.jsonl",
    log:
        "results/{run}/logs/infer_shard.{shard}.log",
        gates="results/{run}/infer/shards/{shard}.gates.json",
    benchmark:
        "results/{run}/benchmarks/infer_shard.{shard}.tsv"
    # Before scores, which are short, so that no GPU waits for long answers at the end.
    priority: 1
    conda:
        "../envs/vllm.yaml" if config["infer"]["backend"] == "vllm" else "../envs/training.yaml"
    threads: 2
    resources:
        gpu=config["infer"]["gpus"],
        gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
    params:
        *code_of("infer_shard", plugin_files(INFERENCE)),
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
        val=f"{SHARED}/dpo/val.jsonl",
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


if config["data"]["analyses"]:

    # A pair that no training takes, with or without an analysis, stops the run before a model answers its prompt. Those
    # that data.on_problem drops are dropped, and counted, by check_tokens.
    use rule check_tokens as check_tokens_early with:
        input:
            train="results/{run}/data/train.jsonl",
            val="results/{run}/data/val.jsonl",
            converted=rules.check_tokens.input.converted,
            manifest="results/{run}/model.sha256",
            model=ancient(lambda wildcards: RUNS[wildcards.run].published.built),
        output:
            train="results/{run}/data/analyses/checked/train.jsonl",
            val="results/{run}/data/analyses/checked/val.jsonl",
            tokens="results/{run}/data/analyses/checked/tokens.json",
        log:
            "results/{run}/logs/check_tokens_early.log",
            rejects="results/{run}/data/analyses/checked/token_rejects.jsonl",
        benchmark:
            "results/{run}/benchmarks/check_tokens_early.tsv"

    use rule infer_shard as infer_shard_analyses with:
        input:
            checked="results/{run}/data/analyses/checked/tokens.json",
            manifest=lambda wildcards: model_of(wildcards).manifest,
            merged=ancient(lambda wildcards: model_of(wildcards).built),
            adapter=lambda wildcards: model_of(wildcards).adapter,
            val="results/{run}/data/{side}.jsonl",
        output:
            answers="results/{run}/data/analyses/{model}/{side}/shards/{shard}.jsonl",
        log:
            "results/{run}/logs/infer_shard_analyses.{model}.{side}.{shard}.log",
            gates="results/{run}/data/analyses/{model}/{side}/shards/{shard}.gates.json",
        benchmark:
            "results/{run}/benchmarks/infer_shard_analyses.{model}.{side}.{shard}.tsv"

    rule add_analyses:
        """Give the {wildcards.side} pairs the analyses of the base model, where they fit into dpo.max_length."""
        input:
            pairs="results/{run}/data/{side}.jsonl",
            shards=expand(
                "results/{{run}}/data/analyses/base/{{side}}/shards/{shard}.jsonl",
                shard=range(config["infer"]["shards"]),
            ),
            manifest="results/{run}/model.sha256",
            model=ancient(lambda wildcards: RUNS[wildcards.run].published.built),
        output:
            pairs="results/{run}/data/analyses/{side}.jsonl",
            account="results/{run}/data/analyses/{side}.json",
        log:
            "results/{run}/logs/add_analyses.{side}.log",
        benchmark:
            "results/{run}/benchmarks/add_analyses.{side}.tsv"
        conda:
            "../envs/training.yaml"
        params:
            *code_of("add_analyses"),
            settings=part("add_analyses"),
            model=lambda wildcards: RUNS[wildcards.run].published.folder,
        shell:
            """
            envs/with-training python -m scripts.add_analyses {input.shards:q} \
                --settings {params.settings:q} \
                --model {params.model:q} \
                --pairs {input.pairs:q} \
                --out {output.pairs:q} \
                --account {output.account:q} >{log:q} 2>&1
            """


if config["infer"]["prompts"]:

    rule check_prompts:
        """Check the prompts {wildcards.prompts}, early, since answers come last."""
        input:
            raw=lambda wildcards: config["infer"]["prompts"][wildcards.prompts],
        output:
            prompts="results/{run}/data/prompts/{prompts}.jsonl",
        log:
            "results/{run}/logs/check_prompts.{prompts}.log",
        benchmark:
            "results/{run}/benchmarks/check_prompts.{prompts}.tsv"
        priority: 1
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("check_prompts"),
            settings=part("check_prompts"),
        shell:
            """
            python -m scripts.check_prompts {input.raw:q} \
                --settings {params.settings:q} \
                --prompts {output.prompts:q} >{log[0]:q} 2>&1
            """

    use rule infer_shard as infer_shard_prompts with:
        input:
            manifest=lambda wildcards: model_of(wildcards).manifest,
            merged=ancient(lambda wildcards: model_of(wildcards).built),
            adapter=lambda wildcards: model_of(wildcards).adapter,
            val=f"{SHARED}/data/prompts/{{prompts}}.jsonl",
        output:
            answers="results/{run}/infer/{prompts}/shards/{shard}.jsonl",
        log:
            "results/{run}/logs/infer_shard_prompts.{prompts}.{shard}.log",
            gates="results/{run}/infer/{prompts}/shards/{shard}.gates.json",
        benchmark:
            "results/{run}/benchmarks/infer_shard_prompts.{prompts}.{shard}.tsv"

    use rule gather_predictions as gather_predictions_prompts with:
        input:
            val=f"{SHARED}/data/prompts/{{prompts}}.jsonl",
            shards=expand(
                "results/{{run}}/infer/{{prompts}}/shards/{shard}.jsonl", shard=range(config["infer"]["shards"])
            ),
        output:
            predictions="results/{run}/infer/{prompts}/predictions.jsonl",
        log:
            "results/{run}/logs/gather_predictions_prompts.{prompts}.log",
            gates="results/{run}/infer/{prompts}/gates.json",
        benchmark:
            "results/{run}/benchmarks/gather_predictions_prompts.{prompts}.tsv"
