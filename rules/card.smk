"""
What others read of a run: the model card, and the run's history as an RO-Crate.

Reads      results/{run}/evaluate/metrics.json, results/{run}/infer/predictions.jsonl, and of the run that trained the
           model: merged/, merged.sha256, dpo/settings.json, dpo/metrics.json; the pairs; Snakemake's records
Writes     results/{run}/model_card.md, results/{run}/workflow/, results/{run}/ro-crate-metadata.json
           beside them, not declared: the card as results/{run}/merged/README.md
Stages     write_model_card -> write_provenance
"""

# The gates of all stages of a run; a stage that it has not has none. They are logs, and so no inputs.
GATES = lambda run: [
    *(f"{SHARED}/{stage}/gates.json" for stage in ("data", "sft", "sft/merge")),
    *(f"results/{TRAINED_BY[run]}/{stage}/gates.json" for stage in ("dpo", "merge")),
    f"results/{run}/infer/gates.json",
]
CARD_SETTINGS = ("data", "model", "prompt", "sft", "infer")


rule write_model_card:
    """
    Write what the model is, how it was made and what it came to, in the form of Hugging Face's model cards.

    The folder of the model gets a copy, if the run has trained it. It is no output: the folder is one of merge_adapter.
    """
    input:
        evaluation="results/{run}/evaluate/metrics.json",
        settings=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/dpo/settings.json",
        training=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/dpo/metrics.json",
        manifest=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/merged.sha256",
        merged=ancient(lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/merged"),
        train=f"{SHARED}/dpo/train.jsonl",
        val=f"{SHARED}/dpo/val.jsonl",
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
        of=lambda wildcards: json.dumps({name: SETTINGS[wildcards.run][name] for name in CARD_SETTINGS}, sort_keys=True),
        place=lambda wildcards: "--place" if TRAINED_BY[wildcards.run] == wildcards.run else "",
        # A log of another stage, and so no input.
        quality=f"{SHARED}/data/quality.json",
        gates=lambda wildcards: GATES(wildcards.run),
    shell:
        """
        python -m scripts.write_model_card --run {wildcards.run} --settings-of-run {params.of:q} --merged {input.merged:q} \
            --manifest {input.manifest:q} --settings {input.settings:q} --training {input.training:q} \
            --evaluation {input.evaluation:q} --pairs {input.train:q} {input.val:q} --quality {params.quality:q} \
            --gates {params.gates:q} --card {output.card:q} {params.place} >{log:q} 2>&1
        """


rule write_provenance:
    """
    Write which jobs made the results, on what, when, and with which software, as a Workflow Run RO-Crate.

    It is read from Snakemake's own records, which are no files of this graph.
    """
    input:
        workflow=["Snakefile", *sorted(map(str, Path("rules").glob("*.smk")))],
        merged=ancient(lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/merged"),
        results=lambda wildcards: [
            f"results/{TRAINED_BY[wildcards.run]}/merged.sha256",
            f"results/{TRAINED_BY[wildcards.run]}/dpo/metrics.json",
            f"results/{wildcards.run}/infer/predictions.jsonl",
            f"results/{wildcards.run}/evaluate/metrics.json",
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
        of=lambda wildcards: json.dumps(SETTINGS[wildcards.run], sort_keys=True),
        folder="results/{run}",
        machine=lambda wildcards: f"results/{TRAINED_BY[wildcards.run]}/logs/train_dpo.machine.json",
        licence="MIT" if is_all_own(config) else "not stated: that of the model and of the data that the run was given",
    shell:
        """
        python -m scripts.write_provenance {input.merged:q} {input.results:q} --folder {params.folder:q} \
            --code {input.workflow:q} --settings {params.of:q} --licence {params.licence:q} \
            --machine {params.machine:q} --workflow {output.workflow:q} --crate {output.crate:q} >{log:q} 2>&1
        """
