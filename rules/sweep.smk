"""
The table and the plot of a sweep, which compare its points.

Reads      dpo/metrics.json of each point
Writes     results/{run}/sweep.csv, results/{run}/sweep.svg
Stages     tabulate_sweep
"""


rule tabulate_sweep:
    """Write a table with a row a point, and draw the held-out figures."""
    input:
        metrics=[f"results/{point.training}/dpo/metrics.json" for point in POINTS],
    output:
        table="results/{run}/sweep.csv",
        plot=report("results/{run}/sweep.svg", caption="captions/sweep.rst", category="Report"),
    log:
        "results/{run}/logs/tabulate_sweep.log",
    benchmark:
        "results/{run}/benchmarks/tabulate_sweep.tsv"
    conda:
        "../envs/training.yaml"
    params:
        *code_of("tabulate_sweep"),
        settings=part("tabulate_sweep"),
        out="results/{run}",
    shell:
        """
        envs/with-training python -m scripts.tabulate_sweep \
            --settings {params.settings:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
