"""
Write the tuned model as one file for llama.cpp, Ollama and LM Studio, where export.gguf asks for it.

Reads      results/{run}/merged/, results/{run}/merged.sha256, and some held-out pairs
Writes     results/{run}/export/{run}.gguf, results/{run}/export/Modelfile, results/{run}/export/gates.json
Stages     export_gguf
"""


rule export_gguf:
    """
    Write the tuned model as GGUF, and see that it has the model's numbers, tokens and prompts.

    It runs in the training environment, with llama.cpp's converter behind it.
    """
    input:
        manifest="results/{run}/merged.sha256",
        merged=ancient("results/{run}/merged"),
        val=f"{SHARED}/dpo/val.jsonl",
    output:
        gguf="results/{run}/export/{run}.gguf",
        modelfile="results/{run}/export/Modelfile",
    log:
        "results/{run}/logs/export_gguf.log",
        gates="results/{run}/export/gates.json",
    benchmark:
        "results/{run}/benchmarks/export_gguf.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    params:
        *code_of("export_gguf"),
        settings=part("export_gguf"),
        out=subpath(output.gguf, parent=True),
    shell:
        """
        envs/with-serving python -m scripts.export_gguf \
            --settings {params.settings:q} \
            --model {input.merged:q} \
            --manifest {input.manifest:q} \
            --val {input.val:q} \
            --name {wildcards.run:q} \
            --out {params.out:q} >{log[0]:q} 2>&1
        """
