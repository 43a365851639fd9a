"""Check before the first job that this machine has everything that the run needs."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.files.one_line import one_line
from pipeline.models.model_folder import find_model_problem
from pipeline.preferences.list_raw import refuse_results
from pipeline.preferences.open_raw import UnreadableRaw
from pipeline.preferences.sources import Source, list_source, list_sources
from pipeline.settings.external_results import external_files
from pipeline.settings.formats import find_path_fault
from pipeline.settings.own_figures import own_files

# A smaller number of GPUs alone does not make settings for a GPU run on the CPU.
WITHOUT_GPU = (
    "try a tiny model on the CPU: make run EXPERIMENT=embedded-pairs, or make new EXPERIMENT=try DATA=my_pairs.jsonl"
)


def check_plan(config: dict[str, Any], ceilings: Mapping[str, Any]) -> None:
    """Stop with one line if the plan cannot work on any machine: data missing, GPUs above the ceiling,
    or a file in place of the folder of the results.

    Snakemake would silently reduce a request above the ceiling, and train on fewer GPUs than asked for.
    `ceilings` maps a resource to its limit (`--resources`, or a profile).
    """
    results = Path("results") / config["run"]
    nearest_folder(results)  # Snakemake would look into it before any job starts
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
    """Stop with one line if a source, which `setting` names, has no file, one of an odd name, or results of the run."""
    if not source.files:
        sys.exit(f"{source.name}: no such file; {where_from(source.name, setting)}")
    for file in source.files:
        if fault := find_path_fault(f"./{file}"):
            sys.exit(one_line(f"{setting}: {file}: {fault}"))
    try:
        refuse_results(source.name, source.files, results)
    except UnreadableRaw as error:
        sys.exit(str(error).replace("data.raw", setting))


def require_separate(val: str, sources: list[Source], results: Path) -> None:
    """Stop with one line if data.val names no file, results of the run, or a file that data.raw names too."""
    held_out = list_source(val, None, results / "data" / "held_out", "data.val")
    require_raw(held_out, results, "data.val")
    raw = {file.resolve() for source in sources for file in source.files}
    if both := {file.resolve() for file in held_out.files} & raw:
        sys.exit(f"{min(both)}: in data.val and in data.raw; move it out of what data.raw names")


def nearest_folder(folder: Path) -> Path:
    """Return a folder, or the one in which it would be made; stop with one line if something else stands there."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        sys.exit(f"{os.path.relpath(nearest)}: not a folder, but the run writes into it; move it away")
    return nearest


def require_writable(folders: Iterable[Path]) -> None:
    """Stop with one line if a folder, or the folder in which it would be made, cannot be written to."""
    for folder in sorted(folders):
        if not os.access(nearest_folder(folder), os.W_OK):
            sys.exit(f"{folder}: cannot be written to; make it writable, or link it to where there is room")


def refuse_future_times(files: Iterable[Path]) -> None:
    """Stop with one line if a file that a job reads is newer than now: Snakemake would discard what the job writes."""
    now = time.time()
    for file in files:
        if file.exists() and (said := file.stat().st_mtime) > now:
            day = time.strftime("%Y-%m-%d %H:%M", time.localtime(said))
            fix = f"set the clock right, and the file's time: touch {shlex.quote(str(file))}"
            sys.exit(f"{file}: its time, {day}, is in the future; {fix}")


def require_plain_path(project: Path) -> None:
    """Stop with one line if Snakemake or ms-swift would read the path of the project as another one."""
    path = str(project)
    if found := next((sign for sign in "{}\n" if sign in path), ""):
        sys.exit(f"{path!r}: the project's folder has {found!r} in its path, which Snakemake reads as its own; move it")
    if os.path.expandvars(path) != path:
        sys.exit(f"{path!r}: ms-swift would put a variable's value into the path of the project's folder; move it")


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
            fix = f"set it to {gpus}" if gpus else WITHOUT_GPU
            has = f"{setting}.gpus is {asked}, but this machine has {gpus or 'no'} GPUs"
            sys.exit(f"{has}; run it where there are {asked}, or {fix}")
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
