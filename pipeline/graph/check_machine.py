"""Check before the first job that this machine has everything that the run needs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.models.model_folder import find_model_problem
from pipeline.preferences.list_raw import refuse_results
from pipeline.preferences.open_raw import UnreadableRaw
from pipeline.preferences.sources import Source, list_source, list_sources
from pipeline.settings.external_results import external_files
from pipeline.settings.own_figures import own_files


def check_plan(config: dict[str, Any], ceilings: Mapping[str, Any]) -> None:
    """Stop with one line if the plan cannot work on any machine: data missing, GPUs above the ceiling.

    Snakemake would silently reduce a request above the ceiling, and train on fewer GPUs than asked for.
    `ceilings` maps a resource to its limit (`--resources`, or a profile).
    """
    results = Path("results") / config["run"]
    sources = list_sources(config["data"]["raw"], results / "data")
    for source in sources:
        require_raw(source, results, "data.raw")
    if config["data"]["val"]:
        require_separate(config["data"]["val"], sources, results)
    for setting, file in list_named(config):
        if not Path(file).is_file():
            sys.exit(f"{file}: no such file; {where_from(file, setting)}")
    if "gpu" not in ceilings:
        return
    ceiling = ceilings["gpu"].value
    for setting in ("train", "infer"):
        asked = config[setting]["gpus"]
        if asked > ceiling:
            sys.exit(
                f"{setting}.gpus is {asked}, above the ceiling of {ceiling} that Snakemake was given; "
                f"lower it, or add --resources gpu={asked}"
            )


def list_named(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each single file of the user's that a setting names, with the setting."""
    evaluate = config["evaluate"]
    named = {"evaluate.terms": evaluate["terms"], "evaluate.neutral": evaluate["neutral"]}
    named["evaluate.judge.prompt"] = (evaluate["judge"] or {}).get("prompt")
    named["sft.data"] = config["sft"]["data"] if config["sft"]["enabled"] else None
    named |= {f"infer.prompts.{name}": file for name, file in (config["infer"]["prompts"] or {}).items()}
    yield from ((setting, file) for setting, file in named.items() if file)
    yield from (("evaluate.own", file) for file in own_files(evaluate["own"], ours=False))
    yield from (("evaluate.external", file) for file in external_files(config))


def where_from(file: str, setting: str) -> str:
    """Return where a missing file is fetched from, or which setting names it."""
    return "run `dvc pull data.dvc`" if Path(file).parts[0] == "data" else f"put it there, or set {setting}"


def require_raw(source: Source, results: Path, setting: str) -> None:
    """Stop with one line if a source, which `setting` names, has no file, or results of the run."""
    if not source.files:
        sys.exit(f"{source.name}: no such file; {where_from(source.name, setting)}")
    try:
        refuse_results(source.name, source.files, results)
    except UnreadableRaw as error:
        sys.exit(str(error).replace("data.raw", setting))


def require_separate(val: str, sources: list[Source], results: Path) -> None:
    """Stop with one line if data.val names no file, results of the run, or a file that data.raw names too."""
    held_out = list_source(val, None, results / "data" / "held_out")
    require_raw(held_out, results, "data.val")
    raw = {file.resolve() for source in sources for file in source.files}
    if both := {file.resolve() for file in held_out.files} & raw:
        sys.exit(f"{min(both)}: in data.val and in data.raw; move it out of what data.raw names")


def require_writable(folder: Path) -> None:
    """Stop with one line if a folder, or the folder in which it would be made, is not writable."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        sys.exit(f"{folder}: cannot be written to; make it writable, or link it to where there is room")


def count_gpus() -> int:
    """Return the number of NVIDIA GPUs of this machine."""
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def check_machine(config: dict[str, Any], conda: bool) -> None:
    """Stop with one line if this machine lacks what the run needs: GPUs, the model, an API key, vLLM, llama.cpp.

    `conda` says whether Snakemake makes the environments itself.
    """
    gpus = count_gpus()
    for setting in ("train", "infer"):
        asked = config[setting]["gpus"]
        if asked > gpus:
            sys.exit(
                f"{setting}.gpus is {asked}, but this machine has {gpus} GPUs; "
                f"set it to {gpus}, or run where there are {asked}"
            )
    folder = config["model"]["folder"]
    if folder and (problem := find_model_problem(Path(folder))):
        sys.exit(problem)
    if config["tracking"]["mode"] == "cloud" and not os.environ.get("SWANLAB_API_KEY"):
        sys.exit("tracking.mode is cloud: set SWANLAB_API_KEY in the environment, or choose offline")
    # Checked now, since answers and exports come last: a training would have run for hours before this failed.
    with_vllm = ["envs/with-vllm"] if config["infer"]["backend"] == "vllm" and not conda else []
    with_serving = ["envs/with-serving"] if config["export"]["gguf"] else []
    for command in [*with_vllm, *with_serving]:
        tried = subprocess.run([command, "true"], capture_output=True, text=True, check=False)
        if tried.returncode:
            sys.exit(tried.stderr.strip())
