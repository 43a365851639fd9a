"""infer.backend: which command answers, in which environment, and what is said where that is missing."""

import json
import os
from pathlib import Path

import yaml

from pipeline.settings.check import load_config, merge
from pipeline.settings.flags import infer_settings, swift_flags
from tests.support.both_engines import in_folder
from tests.support.project import ROOT

VLLM = {"infer": {"backend": "vllm", "gpus": 2, "torch_dtype": "bfloat16"}}
MISSING = ".venv-vllm: vLLM's environment is missing; run: envs/install.sh vllm .venv-vllm"
# Two GPUs, as `nvidia-smi -L` lists them.
NVIDIA_SMI = "#!/bin/sh\nprintf 'GPU 0: H20\\nGPU 1: H20\\n'\n"


def write_overlay(folder: Path) -> str:
    """Write an overlay that asks for vLLM, and return its path."""
    (folder / "overlay.yaml").write_text(yaml.safe_dump(VLLM), encoding="utf-8")
    return str(folder / "overlay.yaml")


def commands(overlays: list[str]) -> dict[str, list[str]]:
    """Return the words of each rule's command; of several jobs', the last one's."""
    return {job["rule"]: job["words"] for job in in_folder(ROOT, "tests.support.plans:list_commands", overlays)}


def after(words: list[str], flag: str) -> str:
    """Return the word after a flag."""
    return words[words.index(flag) + 1]


def test_vllm_answers_in_its_own_environment_on_all_gpus_of_a_shard(tmp_path):
    planned = commands([write_overlay(tmp_path)])
    words = planned["infer_shard"]
    assert words[:4] == ["envs/with-vllm", "python", "-m", "scripts.infer_shard"]
    flags = swift_flags(infer_settings(json.loads(after(words, "--settings")))).split()
    assert after(flags, "--infer_backend") == "vllm"
    assert after(flags, "--vllm_tensor_parallel_size") == "2"
    assert not {"--max_batch_size", "--attn_impl", "--experts_impl"} & set(flags)
    # Log-probabilities are not vLLM's, nor is anything else.
    others = [word for rule, words in planned.items() if not rule.startswith("infer_shard") for word in words]
    assert {word for word in others if word.startswith("envs/with-")} == {"envs/with-training"}


def test_the_default_answers_as_if_there_were_no_other_backend():
    words = commands([])["infer_shard"]
    assert words[0] == "envs/with-training"
    flags = "--max_new_tokens 32 --temperature 0 --max_batch_size 60 --torch_dtype float32"
    given = swift_flags(infer_settings(json.loads(after(words, "--settings"))))
    assert given == f"{flags} --attn_impl eager --experts_impl eager"


def test_each_shard_samples_with_a_seed_of_its_own():
    settings = merge(
        load_config([]), {"infer": {"temperature": 0.7, "top_p": 0.9, "seed": 3, "repetition_penalty": 1.1}}
    )
    flags = [swift_flags(infer_settings(settings, shard)) for shard in (0, 1)]
    asked = "--max_new_tokens 32 --temperature 0.7 --top_p 0.9 --top_k 50 --seed {} --repetition_penalty 1.1"
    assert [found.partition(" --max_batch_size")[0] for found in flags] == [asked.format(3), asked.format(4)]


def test_vllm_missing_is_said_with_the_command_that_installs_it(project, run):
    refused = run("envs/with-vllm", "true", cwd=project, CONDA_PREFIX="")
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"{MISSING}\n")


def test_vllm_missing_stops_a_run_before_any_job_starts(project, run, tmp_path):
    (tmp_path / "nvidia-smi").write_text(NVIDIA_SMI, encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    gpus = (
        f"{Path(run('which', 'snakemake').stdout.strip()).parent}{os.pathsep}{tmp_path}{os.pathsep}{os.environ['PATH']}"
    )
    refused = run("snakemake", "--configfile", write_overlay(tmp_path), cwd=project, PATH=gpus)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == MISSING
    assert "Traceback" not in refused.stderr
    assert not (project / "results" / "tiny").exists()


def test_a_command_runs_in_conda_where_that_has_vllm(project, run):
    conda = project / "conda"
    (conda / "bin").mkdir(parents=True)
    (conda / "bin" / "vllm").touch(mode=0o755)
    said = run("envs/with-vllm", "sh", "-c", "echo here, $VLLM_NO_USAGE_STATS", cwd=project, CONDA_PREFIX=str(conda))
    assert (said.returncode, said.stdout) == (0, "here, 1\n")
