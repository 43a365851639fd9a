"""
The model to tune: a tiny or random one that is built here, or the folder in model.folder; packed, it is dequantised.

Reads      results/{run}/data/train.jsonl and model.tiny.conversations, or model.folder
Writes     results/{run}/model.sha256, and results/{run}/model/ where it is built;
           results/{run}/dequantised/, results/{run}/dequantised.sha256 where the model came packed
Stages     build_tiny_model, build_random_model, or check_model -> dequantise_model
"""

if config["model"]["random"]:

    rule build_random_model:
        """Build a gpt-oss of any size with random weights."""
        input:
            train="results/{run}/data/train.jsonl",
        output:
            folder=directory("results/{run}/model"),
            manifest="results/{run}/model.sha256",
        log:
            "results/{run}/logs/build_random_model.log",
        benchmark:
            "results/{run}/benchmarks/build_random_model.tsv"
        conda:
            "../envs/training.yaml"
        threads: 16
        params:
            *code_of("build_random_model"),
            settings=part("build_random_model"),
        shell:
            """
            envs/with-training python -m scripts.build_random_model {input.train:q} \
                --settings {params.settings:q} \
                --processes {threads:q} \
                --folder {output.folder:q} >{log[0]:q} 2>&1
            """

elif config["model"]["folder"] is None:

    rule build_tiny_model:
        """Build a gpt-oss small enough for a laptop, and teach it a little."""
        input:
            conversations=config["model"]["tiny"]["conversations"] or "results/{run}/data/train.jsonl",
        output:
            folder=directory("results/{run}/model"),
            manifest="results/{run}/model.sha256",
        log:
            "results/{run}/logs/build_tiny_model.log",
        benchmark:
            "results/{run}/benchmarks/build_tiny_model.tsv"
        conda:
            "../envs/training.yaml"
        threads: 2
        params:
            *code_of("build_tiny_model"),
            settings=part("build_tiny_model"),
        shell:
            """
            envs/with-training python -m scripts.build_tiny_model {input.conversations:q} \
                --settings {params.settings:q} \
                --folder {output.folder:q} >{log[0]:q} 2>&1
            """

else:

    rule check_model:
        """
        Check that {params.folder} is a gpt-oss, and write the SHA-256 of its files.

        The folder is a parameter, so that a plan can be shown where the model is not; so is what its files hold, which
        are read again where size or time of one has changed.
        """
        output:
            manifest="results/{run}/model.sha256",
        log:
            "results/{run}/logs/check_model.log",
        benchmark:
            "results/{run}/benchmarks/check_model.tsv"
        conda:
            "../envs/workflow.yaml"
        params:
            *code_of("check_model"),
            folder=config["model"]["folder"],
            files=lambda wildcards: digest_of_folder(
                Path(config["model"]["folder"]), Path(f"results/{wildcards.run}/model.sha256")
            ),
        shell:
            """
            python -m scripts.check_model {params.folder:q} \
                --manifest {output.manifest:q} >{log[0]:q} 2>&1
            """


rule dequantise_model:
    """Write the packed weights of the experts as bfloat16. A model that came in bfloat16 is used as it is."""
    input:
        manifest="results/{run}/model.sha256",
        model=ancient(lambda wildcards: RUNS[wildcards.run].published.built),
    output:
        folder=directory("results/{run}/dequantised"),
        manifest="results/{run}/dequantised.sha256",
    log:
        "results/{run}/logs/dequantise_model.log",
    benchmark:
        "results/{run}/benchmarks/dequantise_model.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    params:
        *code_of("dequantise_model"),
        model=lambda wildcards: RUNS[wildcards.run].published.folder,
    shell:
        """
        envs/with-training python -m scripts.dequantise_model {params.model:q} \
            --manifest {input.manifest:q} \
            --folder {output.folder:q} >{log[0]:q} 2>&1
        """
