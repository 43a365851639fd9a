"""
Evaluation: the models before and after the training, compared on the held-out pairs.

Reads      the models before and after, results/{run}/{dpo,data}/val.jsonl, results/{run}/infer/predictions.jsonl
Writes     results/{run}/evaluate/{metrics.json,answers.jsonl,pairs.jsonl,neutral.jsonl,tracked.json}, and under
           evaluate/<model>/ what those are computed from: the answers of the models before, and the log-probabilities under
           all of them; not declared: results/{run}/swanlab/
Stages     infer_shard_before -> gather_predictions_before -> evaluate_answers; score_pairs -> evaluate_pairs;
           check_neutral -> score_neutral -> evaluate_neutral, where there is a neutral text; all of them -> gather_metrics,
           with the results of other programs that evaluate.external names;
           track_answers, unless tracking.mode is disabled; judge_answers and score_comet, where they are asked for
"""

# MODEL=FILE[,FILE] for each model before DPO, and for the tuned one.
files_by_model = lambda wildcards, input: name_files(
    [*RUNS[wildcards.run].models_before, "dpo"], [*input.before, *input.after]
)


use rule infer_shard as infer_shard_before with:
    output:
        answers="results/{run}/evaluate/{model}/shards/{shard}.jsonl",
    log:
        "results/{run}/logs/infer_shard_before.{model}.{shard}.log",
        gates="results/{run}/evaluate/{model}/shards/{shard}.gates.json",
    benchmark:
        "results/{run}/benchmarks/infer_shard_before.{model}.{shard}.tsv"


use rule gather_predictions as gather_predictions_before with:
    input:
        val=f"{SHARED}/dpo/val.jsonl",
        shards=expand("results/{{run}}/evaluate/{{model}}/shards/{shard}.jsonl", shard=range(config["infer"]["shards"])),
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
        before=lambda wildcards: RUNS[wildcards.run].answers_before,
        after=["results/{run}/infer/predictions.jsonl"],
        terms=config["evaluate"]["terms"] or [],
        own=with_used(own_files(config["evaluate"]["own"], ours=False)),
        judgements="results/{run}/evaluate/judgements.jsonl" if config["evaluate"]["judge"] else [],
        comet="results/{run}/evaluate/comet.jsonl" if config["evaluate"]["comet"] else [],
    output:
        metrics="results/{run}/evaluate/answer_metrics.json",
        rows="results/{run}/evaluate/answers.jsonl",
    log:
        "results/{run}/logs/evaluate_answers.log",
        gates="results/{run}/evaluate/gates.json",
    benchmark:
        "results/{run}/benchmarks/evaluate_answers.tsv"
    conda:
        "../envs/workflow.yaml"
    threads: 8
    params:
        *code_of("evaluate_answers", own_files(config["evaluate"]["own"], ours=True)),
        settings=part("evaluate_answers"),
        files=files_by_model,
        out=subpath(output.metrics, parent=True),
    shell:
        """
        python -m scripts.evaluate_answers {params.files:q} \
            --settings {params.settings:q} \
            --judgements {input.judgements:q} \
            --comet {input.comet:q} \
            --cores {threads:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """


rule score_pairs:
    """Compute the log-probabilities of both answers of the held-out pairs of shard {wildcards.shard}."""
    input:
        manifest=lambda wildcards: model_of(wildcards).manifest,
        merged=ancient(lambda wildcards: model_of(wildcards).built),
        adapter=lambda wildcards: model_of(wildcards).adapter,
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
        settings=part("score_pairs"),
        model=lambda wildcards: model_of(wildcards).folder,
        adapter=lambda wildcards: model_of(wildcards).adapter_folder or [],
    shell:
        """
        envs/with-training python -m scripts.score_pairs \
            --settings {params.settings:q} \
            --model {params.model:q} \
            --manifest {input.manifest:q} \
            --adapter {params.adapter:q} \
            --pairs {input.val:q} \
            --shard {wildcards.shard:q} \
            --scores {output.scores:q} >{log:q} 2>&1
        """


rule evaluate_pairs:
    """Compare the log-probabilities of the held-out pairs before and after."""
    input:
        val=f"{SHARED}/dpo/val.jsonl",
        before=lambda wildcards: RUNS[wildcards.run].scores_before,
        after=expand("results/{{run}}/evaluate/dpo/scores/{shard}.jsonl", shard=range(config["infer"]["shards"])),
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
        settings=part("evaluate_pairs"),
        files=files_by_model,
        reference=lambda wildcards: RUNS[wildcards.run].models_before[-1],
        out=subpath(output.metrics, parent=True),
    shell:
        """
        python -m scripts.evaluate_pairs {params.files:q} \
            --settings {params.settings:q} \
            --pairs {input.val:q} \
            --reference {params.reference:q} \
            --out {params.out:q} >{log:q} 2>&1
        """


rule gather_metrics:
    """Put all figures of a run into one file."""
    input:
        answers="results/{run}/evaluate/answer_metrics.json",
        pairs="results/{run}/evaluate/pair_metrics.json",
        neutral="results/{run}/evaluate/neutral_metrics.json" if config["evaluate"]["neutral"] else [],
        external=external_files(config),
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
        settings=part("gather_metrics"),
        out=subpath(output.metrics, parent=True),
    shell:
        """
        python -m scripts.gather_metrics {input.answers:q} {input.pairs:q} {input.neutral:q} \
            --settings {params.settings:q} \
            --out {params.out:q} >{log:q} 2>&1
        """


if config["evaluate"]["neutral"]:

    rule check_neutral:
        """Check that the neutral text holds passages, and that no row of a training contains one."""
        input:
            text=config["evaluate"]["neutral"],
            trained=[
                *("results/{run}/dpo/train.jsonl", "results/{run}/dpo/val.jsonl"),
                *(["results/{run}/sft/train.jsonl"] if config["sft"]["enabled"] else []),
            ],
        output:
            passages="results/{run}/data/neutral.jsonl",
        log:
            "results/{run}/logs/check_neutral.log",
        benchmark:
            "results/{run}/benchmarks/check_neutral.tsv"
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("check_neutral"),
        shell:
            """
            python -m scripts.check_neutral {input.text:q} \
                --trained {input.trained:q} \
                --passages {output.passages:q} >{log:q} 2>&1
            """

    rule score_neutral:
        """Compute the log-probabilities of the neutral text."""
        input:
            manifest=lambda wildcards: model_of(wildcards).manifest,
            merged=ancient(lambda wildcards: model_of(wildcards).built),
            adapter=lambda wildcards: model_of(wildcards).adapter,
            passages=f"{SHARED}/data/neutral.jsonl",
        output:
            scores="results/{run}/evaluate/{model}/neutral.jsonl",
        log:
            "results/{run}/logs/score_neutral.{model}.log",
        benchmark:
            "results/{run}/benchmarks/score_neutral.{model}.tsv"
        conda:
            "../envs/training.yaml"
        threads: 2
        resources:
            gpu=config["infer"]["gpus"],
            gpu_model=config["train"]["gpu_model"] if config["infer"]["gpus"] else None,
        params:
            *code_of("score_neutral"),
            settings=part("score_neutral"),
            model=lambda wildcards: model_of(wildcards).folder,
            adapter=lambda wildcards: model_of(wildcards).adapter_folder or [],
        shell:
            """
            envs/with-training python -m scripts.score_neutral \
                --settings {params.settings:q} \
                --model {params.model:q} \
                --manifest {input.manifest:q} \
                --adapter {params.adapter:q} \
                --passages {input.passages:q} \
                --scores {output.scores:q} >{log:q} 2>&1
            """

    rule evaluate_neutral:
        """Compare the loss on the neutral text before and after."""
        input:
            before=lambda wildcards: RUNS[wildcards.run].neutral_before,
            after=["results/{run}/evaluate/dpo/neutral.jsonl"],
        output:
            metrics="results/{run}/evaluate/neutral_metrics.json",
            rows="results/{run}/evaluate/neutral.jsonl",
        log:
            "results/{run}/logs/evaluate_neutral.log",
            gates="results/{run}/evaluate/neutral/gates.json",
        benchmark:
            "results/{run}/benchmarks/evaluate_neutral.tsv"
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("evaluate_neutral"),
            settings=part("evaluate_neutral"),
            files=files_by_model,
            out=subpath(output.metrics, parent=True),
        shell:
            """
            python -m scripts.evaluate_neutral {params.files:q} \
                --settings {params.settings:q} \
                --out {params.out:q} >{log[0]:q} 2>&1
            """


if TRACKED:

    rule track_answers:
        """
        Log in SwanLab how the answers ended, in the run that has the curves of the training.

        Beside --tracked, not declared because it differs from run to run: ../swanlab.
        """
        input:
            metrics="results/{run}/evaluate/answer_metrics.json",
        output:
            tracked="results/{run}/evaluate/tracked.json",
        log:
            "results/{run}/logs/track_answers.log",
        benchmark:
            "results/{run}/benchmarks/track_answers.tsv"
        conda:
            "../envs/training.yaml"
        params:
            *code_of("track_answers"),
            settings=part("track_answers"),
            swanlab="results/{run}/swanlab",
        shell:
            """
            envs/with-training python -m scripts.track_answers {input.metrics:q} \
                --settings {params.settings:q} \
                --swanlab {params.swanlab:q} \
                --tracked {output.tracked:q} >{log:q} 2>&1
            """


if config["evaluate"]["judge"]:

    rule judge_answers:
        """Have a model behind a chat-completions server say which answer is better, before or after."""
        input:
            before=lambda wildcards: RUNS[wildcards.run].answers_before[:1],
            after=["results/{run}/infer/predictions.jsonl"],
            prompt=config["evaluate"]["judge"]["prompt"] or "pipeline/evaluation/judge_prompt.txt",
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
            settings=part("judge_answers"),
            files=lambda wildcards, input: name_files(["base", "dpo"], [*input.before, *input.after]),
            out=subpath(output.judgements, parent=True),
        shell:
            """
            python -m scripts.judge_answers {params.files:q} \
                --settings {params.settings:q} \
                --out {params.out:q} >{log:q} 2>&1
            """


if config["evaluate"]["comet"]:

    rule score_comet:
        """Score the answers before and after with COMET."""
        input:
            before=lambda wildcards: RUNS[wildcards.run].answers_before,
            after=["results/{run}/infer/predictions.jsonl"],
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
            settings=part("score_comet"),
            files=files_by_model,
            out=subpath(output.scores, parent=True),
        shell:
            """
            python -m scripts.score_comet {params.files:q} \
                --settings {params.settings:q} \
                --out {params.out:q} >{log:q} 2>&1
            """
