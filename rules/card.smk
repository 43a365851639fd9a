"""
Two documents about a run: the model card, and the run's history as an RO-Crate.

Reads      results/{run}/evaluate/metrics.json, results/{run}/infer/predictions.jsonl, and of the run that trained the
           model: merged/, merged.sha256, dpo/settings.json, dpo/metrics.json; the pairs; Snakemake's records;
           not declared: the gates of every stage, and the account of the pairs
Writes     results/{run}/model_card.md, results/{run}/workflow/, results/{run}/ro-crate-metadata.json
           beside them, not declared: the card as results/{run}/merged/README.md
Stages     write_model_card -> write_provenance
"""


rule write_model_card:
    """
    Write what the model is, how it was made, and its figures, in the form of Hugging Face's model cards.

    The folder of the model gets a copy, if the run has trained it. It is not an output: the folder is one of merge_adapter.
    """
    input:
        evaluation="results/{run}/evaluate/metrics.json",
        settings=lambda wildcards: f"{RUNS[wildcards.run].training}/dpo/settings.json",
        training=lambda wildcards: f"{RUNS[wildcards.run].training}/dpo/metrics.json",
        manifest=lambda wildcards: RUNS[wildcards.run].tuned.manifest,
        merged=ancient(lambda wildcards: RUNS[wildcards.run].tuned.folder),
        train=f"{SHARED}/dpo/train.jsonl",
        val=f"{SHARED}/dpo/val.jsonl",
        analyses=ANALYSES,
    output:
        card="results/{run}/model_card.md",
    log:
        "results/{run}/logs/write_model_card.log",
    benchmark:
        "results/{run}/benchmarks/write_model_card.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("write_model_card"),
        settings=part("write_model_card"),
        run=lambda wildcards: RUNS[wildcards.run].folder,
        training=lambda wildcards: RUNS[wildcards.run].training,
        shared=lambda wildcards: RUNS[wildcards.run].shared,
    shell:
        """
        python -m scripts.write_model_card \
            --settings {params.settings:q} \
            --run {params.run:q} \
            --training {params.training:q} \
            --shared {params.shared:q} \
            --out {params.run:q} >{log[0]:q} 2>&1
        """


rule write_provenance:
    """
    Write which jobs made the results, on what, when, and with which software, as a Workflow Run RO-Crate.

    It is read from Snakemake's own records, which are not files of this graph.
    """
    input:
        workflow=["Snakefile", *sorted(map(str, Path("rules").glob("*.smk")))],
        merged=ancient(lambda wildcards: RUNS[wildcards.run].tuned.folder),
        results=lambda wildcards: [
            RUNS[wildcards.run].tuned.manifest,
            f"{RUNS[wildcards.run].training}/dpo/metrics.json",
            f"results/{wildcards.run}/infer/predictions.jsonl",
            *(f"results/{wildcards.run}/infer/{name}/predictions.jsonl" for name in PROMPTS),
            f"results/{wildcards.run}/evaluate/metrics.json",
            *([f"results/{wildcards.run}/evaluate/tracked.json"] if TRACKED else []),
            f"results/{wildcards.run}/model_card.md",
            f"results/{wildcards.run}/report.html",
        ],
    output:
        workflow=directory("results/{run}/workflow"),
        crate="results/{run}/ro-crate-metadata.json",
    log:
        "results/{run}/logs/write_provenance.log",
    benchmark:
        "results/{run}/benchmarks/write_provenance.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        *code_of("write_provenance"),
        settings=part("write_provenance"),
        training=lambda wildcards: RUNS[wildcards.run].training,
        out="results/{run}",
    shell:
        """
        python -m scripts.write_provenance {input.merged:q} {input.results:q} \
            --settings {params.settings:q} \
            --code {input.workflow:q} \
            --training {params.training:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
