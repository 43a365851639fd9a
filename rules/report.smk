"""
What a run came to, on a page that opens anywhere.

Reads      results/{run}/evaluate/, dpo/, sft/ and data/, and the gates of every stage; not declared: the logs' machine and speed
Writes     results/{run}/report.html, results/{run}/plots/, results/{run}/plots.sha256; results/{run}/sweep.html
Stages     write_report [-> write_sweep_report]
"""

# Where DVC keeps what, and the other points of a sweep, have no part in a run's results.
REPORTED = {run: {k: v for k, v in found.items() if k not in ("dvc", "sweep")} for run, found in SETTINGS.items()}


rule write_report:
    """
    Write the report of {wildcards.run}, and its curves as SVG and PNG.

    Accounts and gates are logs of other rules, and so no inputs.
    """
    input:
        metrics="results/{run}/evaluate/metrics.json",
        answers="results/{run}/evaluate/answers.jsonl",
        curves=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/dpo/curves.jsonl",
        in_force=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/dpo/settings.json",
        coverage=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/dpo/lora_coverage.csv",
        adapter=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/dpo/adapter.sha256",
        sft=[f"{SHARED}/sft/curves.jsonl"] if config["sft"]["enabled"] else [],
        model=f"{SHARED}/model.sha256",
        pairs=f"{SHARED}/data/pairs.jsonl",
        tokens=f"{SHARED}/dpo/tokens.json",
    output:
        page=report("results/{run}/report.html", caption="captions/report.rst", category="Report"),
        plots=report(
            directory("results/{run}/plots"),
            patterns=["{figure}.svg"],
            caption="captions/plots.rst",
            category="Curves",
            subcategory="{run}",
        ),
        manifest="results/{run}/plots.sha256",
    log:
        "results/{run}/logs/write_report.log",
    benchmark:
        "results/{run}/benchmarks/write_report.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("write_report"),
        quality=f"{SHARED}/data/quality.json",
        gates=lambda wildcards: GATES(wildcards.run),
        logs=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/logs",
        sft=lambda wildcards, input: f"--sft-curves {input.sft} --sft-logs {SHARED}/logs" if input.sft else "",
        settings=lambda wildcards: json.dumps(REPORTED[wildcards.run], sort_keys=True),
    shell:
        """
        python -m scripts.write_report --run {wildcards.run} --report {output.page:q} --plots {output.plots:q} \
            --metrics {input.metrics:q} --answers {input.answers:q} --curves {input.curves:q} {params.sft} \
            --in-force {input.in_force:q} --coverage {input.coverage:q} --tokens {input.tokens:q} \
            --quality {params.quality:q} --gates {params.gates:q} --hash pairs {input.pairs:q} \
            --hash model {input.model:q} --hash adapter {input.adapter:q} --logs {params.logs:q} \
            --settings {params.settings:q} >{log:q} 2>&1
        """


rule write_sweep_report:
    """Write a page with the points of the sweep side by side."""
    input:
        trainings=[f"results/{point.training}/dpo/metrics.json" for point in POINTS],
        evaluations=[f"results/{point.run}/evaluate/metrics.json" for point in POINTS],
    output:
        page=report("results/{run}/sweep.html", caption="captions/sweep.rst", category="Report"),
    log:
        "results/{run}/logs/write_sweep_report.log",
    benchmark:
        "results/{run}/benchmarks/write_sweep_report.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("write_sweep_report"),
        points=json.dumps({point.name: point.values for point in POINTS}),
        runs=[point.run for point in POINTS],
    shell:
        """
        python -m scripts.write_sweep_report --run {wildcards.run} --page {output.page:q} --points {params.points:q} \
            --runs {params.runs:q} --trainings {input.trainings:q} --evaluations {input.evaluations:q} >{log:q} 2>&1
        """
