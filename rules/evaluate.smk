"""
What the training changed: the model before it and after it, side by side on the held-out pairs.

Reads      the models before and after, results/{run}/{dpo,data}/val.jsonl, results/{run}/infer/predictions.jsonl
Writes     results/{run}/evaluate/{metrics.json,answers.jsonl,pairs.jsonl}, and under evaluate/<model>/ what those are
           computed from: the answers of the models before, and the log-probabilities under all of them
Stages     infer_shard_before -> gather_predictions_before -> evaluate_answers; score_pairs -> evaluate_pairs;
           both -> gather_metrics; judge_answers and score_comet, where they are asked for
"""

EVALUATE = config["evaluate"]
# The models before DPO, in the order in which they are made. Rewards are measured from the last of them.
BEFORE = ["base", *(["sft"] if config["sft"]["enabled"] else [])]
# Whose answers of the models before a run is compared with: points that differ in `dpo` alone share them.
ANSWERED_BY = {
    run: config["run"] if settings["infer"] == config["infer"] else run for run, settings in SETTINGS.items()
}
# Of each model of a run: its folder, its manifest, and that of the adapter that goes on it.
MODELS = {
    "base": lambda run: (BUILT_MODEL, f"{SHARED}/model.sha256", []),
    "sft": lambda run: (START_MODEL, START_MANIFEST, START_ADAPTER),
    "dpo": lambda run: (f"results/{TRAINED_BY[run]}/merged", f"results/{TRAINED_BY[run]}/merged.sha256", []),
}


use rule infer_shard as infer_shard_before with:
    input:
        manifest=lambda wildcards: MODELS[wildcards.model](wildcards.run)[1],
        merged=ancient(lambda wildcards: MODELS[wildcards.model](wildcards.run)[0]),
        adapter=lambda wildcards: MODELS[wildcards.model](wildcards.run)[2],
        val=f"{SHARED}/data/val.jsonl",
    output:
        answers="results/{run}/evaluate/{model}/shards/{shard}.jsonl",
    log:
        "results/{run}/logs/infer_shard_before.{model}.{shard}.log",
        gates="results/{run}/evaluate/{model}/shards/{shard}.gates.json",
    benchmark:
        "results/{run}/benchmarks/infer_shard_before.{model}.{shard}.tsv"


use rule gather_predictions as gather_predictions_before with:
    input:
        val=f"{SHARED}/data/val.jsonl",
        shards=expand("results/{{run}}/evaluate/{{model}}/shards/{shard}.jsonl", shard=SHARDS),
    output:
        predictions="results/{run}/evaluate/{model}/predictions.jsonl",
    log:
        "results/{run}/logs/gather_predictions_before.{model}.log",
        gates="results/{run}/evaluate/{model}/gates.json",
    benchmark:
        "results/{run}/benchmarks/gather_predictions_before.{model}.tsv"


rule evaluate_answers:
    """Compare the answers before and after."""
    input:
        before=lambda wildcards: expand(
            "results/{run}/evaluate/{model}/predictions.jsonl", run=ANSWERED_BY[wildcards.run], model=BEFORE
        ),
        after="results/{run}/infer/predictions.jsonl",
        terms=EVALUATE["terms"] or [],
        own=EVALUATE["own"].partition(":")[0] if EVALUATE["own"] else [],
        judgements="results/{run}/evaluate/judgements.jsonl" if EVALUATE["judge"] else [],
        comet="results/{run}/evaluate/comet.jsonl" if EVALUATE["comet"] else [],
    output:
        metrics="results/{run}/evaluate/answer_metrics.json",
        rows="results/{run}/evaluate/answers.jsonl",
    log:
        "results/{run}/logs/evaluate_answers.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_answers.tsv"
    conda:
        "../envs/workflow.yaml"
    threads: 8
    params:
        *code_of("evaluate_answers"),
        files=lambda wildcards, input: name_files([*BEFORE, "dpo"], [*input.before, input.after]),
        flags=lambda wildcards, input: swift_flags(
            {
                "target": LANGUAGES and LANGUAGES["target"],
                "terms": EVALUATE["terms"],
                "own": EVALUATE["own"],
                "judgements": input.judgements or None,
                "comet": input.comet or None,
                "resamples": EVALUATE["resamples"],
                "seed": EVALUATE["seed"],
            }
        ),
    shell:
        """
        python -m scripts.evaluate_answers {params.files:q} {params.flags} --cores {threads} --metrics {output.metrics:q} \
            --rows {output.rows:q} >{log:q} 2>&1
        """


rule score_pairs:
    """Compute the log-probabilities of every n-th held-out pair's answers, from number {wildcards.shard} on."""
    input:
        manifest=lambda wildcards: MODELS[wildcards.model](wildcards.run)[1],
        merged=ancient(lambda wildcards: MODELS[wildcards.model](wildcards.run)[0]),
        adapter=lambda wildcards: MODELS[wildcards.model](wildcards.run)[2],
        val=f"{SHARED}/dpo/val.jsonl",
    output:
        scores="results/{run}/evaluate/{model}/scores/{shard}.jsonl",
    log:
        "results/{run}/logs/score_pairs.{model}.{shard}.log",
    benchmark:
        "results/{run}/benchmarks/score_pairs.{model}.{shard}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=config["infer"]["gpus"],
        gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
    params:
        *code_of("score_pairs"),
        model=lambda wildcards, input: model_flags(input.merged or config["model"]["folder"], input.adapter),
        shards=len(SHARDS),
        flags=lambda wildcards: swift_flags(
            {
                "gpus": config["infer"]["gpus"],
                "prompt-date": config["prompt"]["date"],
                "batch-size": EVALUATE["batch_size"],
                "max-length": config["dpo"]["max_length"],
                "truncation-strategy": config["dpo"]["truncation_strategy"],
                "loss-scale": config["dpo"]["loss_scale"],
                "torch-dtype": SETTINGS[wildcards.run]["infer"]["torch_dtype"],
                "attn-impl": SETTINGS[wildcards.run]["infer"]["attn_impl"],
                "experts-impl": SETTINGS[wildcards.run]["dpo"]["experts_impl"],
            }
        ),
    shell:
        """
        envs/with-training python -m scripts.score_pairs {params.model} --model-manifest {input.manifest:q} \
            --pairs {input.val:q} --scores {output.scores:q} --shard {wildcards.shard} --shards {params.shards} \
            {params.flags} >{log:q} 2>&1
        """


rule evaluate_pairs:
    """Compare the log-probabilities of the held-out pairs before and after."""
    input:
        val=f"{SHARED}/dpo/val.jsonl",
        before=lambda wildcards: expand(
            "results/{run}/evaluate/{model}/scores/{shard}.jsonl",
            run=ANSWERED_BY[wildcards.run],
            model=BEFORE,
            shard=SHARDS,
        ),
        after=expand("results/{{run}}/evaluate/dpo/scores/{shard}.jsonl", shard=SHARDS),
    output:
        metrics="results/{run}/evaluate/pair_metrics.json",
        rows="results/{run}/evaluate/pairs.jsonl",
    log:
        "results/{run}/logs/evaluate_pairs.log",
    benchmark:
        "results/{run}/benchmarks/evaluate_pairs.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("evaluate_pairs"),
        scores=lambda wildcards, input: name_files([*BEFORE, "dpo"], [*input.before, *input.after]),
        reference=BEFORE[-1],
        beta=lambda wildcards: SETTINGS[wildcards.run]["dpo"]["beta"],
        resamples=EVALUATE["resamples"],
        seed=EVALUATE["seed"],
    shell:
        """
        python -m scripts.evaluate_pairs {params.scores:q} --pairs {input.val:q} --reference {params.reference} \
            --beta {params.beta} --resamples {params.resamples} --seed {params.seed} --metrics {output.metrics:q} \
            --rows {output.rows:q} >{log:q} 2>&1
        """


rule gather_metrics:
    """Put all figures of a run into one file."""
    input:
        answers="results/{run}/evaluate/answer_metrics.json",
        pairs="results/{run}/evaluate/pair_metrics.json",
    output:
        metrics="results/{run}/evaluate/metrics.json",
    log:
        "results/{run}/logs/gather_metrics.log",
    benchmark:
        "results/{run}/benchmarks/gather_metrics.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("gather_metrics"),
    shell:
        """
        python -m scripts.gather_metrics {input.answers:q} {input.pairs:q} --metrics {output.metrics:q} >{log:q} 2>&1
        """


if EVALUATE["judge"]:

    rule judge_answers:
        """Have a model behind a chat-completions server say which answer is better, before or after."""
        input:
            before=lambda wildcards: f"results/{ANSWERED_BY[wildcards.run]}/evaluate/{BEFORE[0]}/predictions.jsonl",
            after="results/{run}/infer/predictions.jsonl",
            prompt=EVALUATE["judge"]["prompt"] or "pipeline/evaluation/judge_prompt.txt",
        output:
            judgements="results/{run}/evaluate/judgements.jsonl",
        log:
            "results/{run}/logs/judge_answers.log",
        benchmark:
            "results/{run}/benchmarks/judge_answers.tsv"
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("judge_answers"),
            before=BEFORE[0],
            flags=swift_flags(
                {
                    "url": EVALUATE["judge"]["url"],
                    "model": EVALUATE["judge"]["model"],
                    "key-variable": EVALUATE["judge"]["key_variable"],
                    "limit": EVALUATE["judge"]["limit"],
                    "seed": EVALUATE["seed"],
                }
            ),
        shell:
            """
            python -m scripts.judge_answers {params.before}={input.before:q} dpo={input.after:q} \
                --judgements {output.judgements:q} --prompt {input.prompt:q} {params.flags} >{log:q} 2>&1
            """


if EVALUATE["comet"]:

    rule score_comet:
        """Score the answers before and after with COMET."""
        input:
            before=lambda wildcards: expand(
                "results/{run}/evaluate/{model}/predictions.jsonl", run=ANSWERED_BY[wildcards.run], model=BEFORE
            ),
            after="results/{run}/infer/predictions.jsonl",
        output:
            scores="results/{run}/evaluate/comet.jsonl",
        log:
            "results/{run}/logs/score_comet.log",
        benchmark:
            "results/{run}/benchmarks/score_comet.tsv"
        conda:
            "../envs/workflow.yaml"
        resources:
            gpu=config["infer"]["gpus"],
            gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
        params:
            *code_of("score_comet"),
            files=lambda wildcards, input: name_files([*BEFORE, "dpo"], [*input.before, input.after]),
            model=EVALUATE["comet"],
            gpus=config["infer"]["gpus"],
        shell:
            """
            python -m scripts.score_comet {params.files:q} --scores {output.scores:q} --model {params.model:q} \
                --gpus {params.gpus} >{log:q} 2>&1
            """
