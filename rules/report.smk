"""
The report of a run: one page that opens without a network; and the page of a sweep.

Reads      results/{run}/evaluate/, infer/, dpo/, sft/ and data/; not declared: the gates of every stage, and the machine and
           the speed in the logs of the trainings
Writes     results/{run}/report.html, results/{run}/plots/, results/{run}/plots.sha256; results/{run}/sweep.html
Stages     write_report [-> write_sweep_report]
"""


rule write_report:
    """
    Write the report of {wildcards.run}, and its curves as SVG and PNG.

    Accounts and gates are logs of other rules, and so no inputs.
    """
    input:
        metrics="results/{run}/evaluate/metrics.json",
        answers="results/{run}/evaluate/answers.jsonl",
        prompts=[f"results/{{run}}/infer/{name}/predictions.jsonl" for name in PROMPTS],
        curves=lambda wildcards: f"{RUNS[wildcards.run].training}/dpo/curves.jsonl",
        in_force=lambda wildcards: f"{RUNS[wildcards.run].training}/dpo/settings.json",
        coverage=lambda wildcards: f"{RUNS[wildcards.run].training}/dpo/lora_coverage.csv",
        adapter=lambda wildcards: f"{RUNS[wildcards.run].training}/dpo/adapter.sha256",
        sft=[f"{SHARED}/sft/curves.jsonl"] if config["sft"]["enabled"] else [],
        model=f"{SHARED}/model.sha256",
        pairs=f"{SHARED}/data/pairs.jsonl",
        tokens=f"{SHARED}/dpo/tokens.json",
        analyses=ANALYSES,
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
        settings=part("write_report"),
        run=lambda wildcards: RUNS[wildcards.run].folder,
        training=lambda wildcards: RUNS[wildcards.run].training,
        shared=lambda wildcards: RUNS[wildcards.run].shared,
    shell:
        """
        python -m scripts.write_report \
            --settings {params.settings:q} \
            --run {params.run:q} \
            --training {params.training:q} \
            --shared {params.shared:q} \
            --out {params.run:q} >{log[0]:q} 2>&1
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
        settings=part("write_sweep_report"),
        out="results/{run}",
    shell:
        """
        python -m scripts.write_sweep_report \
            --settings {params.settings:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
