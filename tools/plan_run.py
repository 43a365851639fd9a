"""Estimate the cost of a run before anything is submitted: steps, tokens, GPU memory, hours and disk.

    python -m tools.plan_run experiments/tutorial.yaml --json plan.json

Overlays are merged over config.yaml, as by `snakemake --configfile`. `make plan EXPERIMENT=tutorial` prints this plan,
and then every command. A training that does not fit into its GPU's memory ends it with exit status 1 and the settings
that would fit. docs/planning.md has the formulas, and what was measured for them.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.files.json_files import write_json
from pipeline.models.shape import PUBLISHED, PUBLISHED_120B, Shape, find_shape, named_parameters
from pipeline.planning.batch_memory import largest_batch
from pipeline.planning.disk import (
    analyses_bytes,
    answers_bytes,
    beside_experts_bytes,
    model_bytes,
    packed_bytes,
    scores_bytes,
    training_disk,
)
from pipeline.planning.find_fit import Fit, find_fit, longest_fit
from pipeline.planning.gpus import GIB, GPUS, Gpu, find_gpu
from pipeline.planning.hours import step_seconds, training_seconds
from pipeline.planning.inference import plan_inference
from pipeline.planning.memory import estimate_memory, sharding
from pipeline.planning.pair_tokens import Gathered, gather_pairs
from pipeline.planning.recipes import plan_recipes
from pipeline.planning.show_plan import show_plan
from pipeline.planning.trainings import Pairs, Training, list_trainings, needed_memory
from pipeline.preferences.prompts import PromptFile
from pipeline.settings.check import load_checked
from pipeline.settings.flags import as_text
from pipeline.settings.runs import Run, list_runs
from pipeline.settings.stage import stage_parser
from pipeline.settings.sweep import list_points

Settings = dict[str, Any]

COMPARED = ("zero3", "zero2", "zero0")  # beside what the run has


def plan_training(shape: Shape, training: Training, gpu: Gpu | None, merged: int) -> dict[str, Any]:
    """Return the cost of one training: counts, bytes and seconds. Memory and time only if it is on GPUs.

    `merged` are the bytes of the model that its adapter becomes.
    """
    load, flags = training.load, training.flags
    counts = ("rows_per_step", "batches", "steps_per_epoch", "steps", "sequences", "tokens", "padded_tokens", "longest")
    plan: dict[str, Any] = {"run": training.run, "stage": training.section, "rows": len(load.rows)}
    plan |= {"epochs": load.epochs, "deepspeed": sharding(flags), **{name: getattr(load, name) for name in counts}}
    plan["disk"] = asdict(training_disk(shape, flags, load, merged))
    if not training.config["train"]["gpus"]:
        return plan
    stages = dict.fromkeys([sharding(flags), *COMPARED])
    memory = {
        name: estimate_memory(shape, flags | {"deepspeed": name}, largest_batch(load), load.processes)
        for name in stages
    }
    return plan | {
        "memory": {name: asdict(parts) | {"total": parts.total} for name, parts in memory.items()},
        "needed": needed_memory(shape, training),
        "longest_fit": longest_fit(shape, training, gpu.memory) if gpu else None,
        "step_seconds": {gpu.name: step_seconds(shape, flags, gpu, load) for gpu in GPUS},
        "seconds": {gpu.name: training_seconds(shape, flags, gpu, load, training.held_out) for gpu in GPUS},
    }


def merged_bytes(shape: Shape, training: Training, runs: dict[str, Run]) -> int:
    """Return the bytes of the model that the adapter of a training becomes, 0 if it becomes none."""
    run = runs[training.run]
    if training.section == "dpo":
        return packed_bytes(shape) if run.stays_packed else model_bytes(shape)
    if training.config["sft"]["join"] != "merged":
        return 0
    stays_packed = run.base.folder == run.published.folder and not named_parameters(training.flags)
    return packed_bytes(shape) if run.is_packed and stays_packed else model_bytes(shape)


def read_own_prompts(config: Settings) -> list[Any]:
    """Return the prompts in infer.prompts; stop with one line if a file has a fault."""
    files = [PromptFile(Path(file), config["data"]) for file in (config["infer"]["prompts"] or {}).values()]
    return [prompt for file in files for prompt in file.read()]


def own_answers_bytes(config: Settings, own: list[Any]) -> int:
    """Return the most that answers to the prompts in infer.prompts take."""
    infer = config["infer"]
    each, written = infer["answers_per_prompt"], sum(len(json.dumps(prompt)) for prompt in own)
    return answers_bytes(each * len(own), each * written, infer["max_new_tokens"], 1)


def plan_disk(
    shape: Shape, config: Settings, gathered: Gathered, trainings: list[dict[str, Any]], own: list[Any]
) -> dict[str, int]:
    """Return the bytes of a run by part. The model before DPO is among them where the run writes it."""
    parts = {
        name: sum(training["disk"][name] for training in trainings) for name in ("checkpoints", "adapter", "merged")
    }
    exported = sum(training["disk"]["merged"] for training in trainings if training["stage"] == "dpo")
    infer, held_out = config["infer"], len(gathered.pairs.held_out)
    models = 2 + config["sft"]["enabled"]  # the one before DPO, that after SFT, and the tuned one
    each = infer["answers_per_prompt"]
    answers = answers_bytes(each * held_out, each * gathered.prompts_bytes, infer["max_new_tokens"], models)
    # pairs.jsonl, its two sides, and the sides that check_tokens passed; SFT has a copy of its own.
    copies = 3 + config["sft"]["enabled"]
    answers += own_answers_bytes(config, own)
    rows, tokens = len(gathered.pairs.train) + held_out, infer["max_new_tokens"]
    analyses = analyses_bytes(rows, gathered.pairs_bytes, each, tokens, copies) if config["data"]["analyses"] else 0
    points = len(list_points(config))
    return {
        **own_models(shape, config),
        **parts,
        **({"exported": exported} if config["export"]["gguf"] else {}),
        **({"analyses": analyses} if analyses else {}),
        "answers": answers * points,
        "scores": scores_bytes(held_out, models) * points,
        "pairs": copies * gathered.pairs_bytes,
    }


def own_models(shape: Shape, config: Settings) -> dict[str, int]:
    """Return the bytes of the models that a run writes beside the merged ones."""
    runs, parts = list_runs(config), {}
    packed, plain = packed_bytes(shape), model_bytes(shape)
    shared = runs[config["run"]]
    if shared.published.is_built:
        parts["built model"] = packed if shared.is_packed else plain
    if shared.base.folder == shared.dequantised.folder:
        parts["dequantised model"] = plain
    # What ms-swift writes of a packed model, or that model dequantised.
    merging = [
        beside_experts_bytes(shape) if run.stays_packed else plain
        for run in runs.values()
        if run.merged_into == shared.published
    ]
    if shared.is_packed and merging:
        parts["while merging"] = max(merging)
    return parts


def describe_model(shape: Shape, config: Settings) -> str:
    """Return the source of the shape in words."""
    assumed = f", assumed: {config['model']['folder']}/config.json is not there"
    return f"{shape.source}{assumed if shape in (PUBLISHED, PUBLISHED_120B) else ''}"


def make_plan(shape: Shape, config: Settings, gathered: Gathered) -> dict[str, Any]:
    """Return the plan as --json writes it: counts, bytes and seconds, and why it is refused, if it is."""
    trainings = list_trainings(config, gathered.pairs)
    asked = config["train"]["gpu_model"]
    gpu = find_gpu(asked)
    runs, own, pairs = list_runs(config), read_own_prompts(config), gathered.pairs
    planned = [plan_training(shape, training, gpu, merged_bytes(shape, training, runs)) for training in trainings]
    return {
        "run": config["run"],
        "gpus": config["train"]["nodes"] * config["train"]["gpus"],
        "processes": trainings[0].load.processes,
        "gpu_model": asked,
        "gpu_memory": gpu.memory if gpu else None,
        "max_length": config["dpo"]["max_length"],
        "model": {
            "shape": describe_model(shape, config),
            "parameters": shape.parameters,
            "active_parameters": shape.active,
            "bytes": model_bytes(shape),
            "folder_bytes": packed_bytes(shape) if runs[config["run"]].is_packed else model_bytes(shape),
        },
        "pairs": {
            "train": len(gathered.pairs.train),
            "held_out": len(gathered.pairs.held_out),
            "too_long": gathered.too_long,
            "counted": gathered.counted,
            "why_not_counted": gathered.reason,
        },
        "analyses": config["infer"]["max_new_tokens"] if config["data"]["analyses"] else 0,  # tokens of the longest
        "trainings": planned,
        "seconds": {
            gpu.name: sum(row["seconds"][gpu.name] for row in planned) for gpu in GPUS if "seconds" in planned[0]
        },
        "disk": plan_disk(shape, config, gathered, planned, own),
        "refused": find_refusal(shape, trainings),
        **(plan_gpus(shape, config, pairs, len(own), planned) if config["train"]["gpus"] else {}),
    }


def plan_gpus(shape: Shape, config: Settings, pairs: Pairs, own: int, planned: list[dict[str, Any]]) -> dict[str, Any]:
    """Return answers, scores and recipes, GPU by GPU; `own` is the number of prompts in infer.prompts."""
    needed = max(training["needed"] for training in planned)
    return {
        "inference": plan_inference(shape, config, pairs, own),
        "recipes": plan_recipes(shape, config, pairs, needed),
    }


def find_refusal(shape: Shape, trainings: list[Training]) -> str | None:
    """Return in one line which training does not fit into its GPU, and what would fit; None if all fit."""
    for training in trainings:
        train = training.config["train"]
        gpu = find_gpu(train["gpu_model"])
        if not train["gpus"] or not gpu or (needed := needed_memory(shape, training)) <= gpu.memory:
            continue
        fit = find_fit(shape, training, gpu.memory)
        fix = describe_fit(fit, training) if fit else "no settings fit; take larger GPUs, or more of them under zero3"
        return (
            f"{training.run}: the {training.section} training needs {needed / GIB:.1f} GiB of GPU memory, "
            f"train.gpu_model {train['gpu_model']} has {gpu.memory / GIB:.1f}; {fix}"
        )
    return None


def describe_fit(fit: Fit, training: Training) -> str:
    """Return the settings that fit in words, with what they cost beside time."""
    settings = ", ".join(f"{name}: {as_text(value)}" for name, value in fit.changes.items())
    said = f"{settings} would need {fit.memory / GIB:.1f}"
    if length := fit.changes.get("dpo.max_length"):
        longer = sum(max(row.sequences) > length for row in training.load.rows)
        said += f"; {longer:,} of {len(training.load.rows):,} rows are longer"
    if "dpo.attn_impl" in fit.changes:
        said += "; of flex_attention see docs/planning.md"
    return said


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same numbers there, in bytes and seconds")
    args = parser.parse_args(argv)

    config = load_checked(args.overlays)
    try:
        shape = find_shape(config["model"])
    except ValueError as error:
        sys.exit(str(error))
    plan = make_plan(shape, config, gather_pairs(config, args.overlays))
    if args.json:
        write_json(args.json, plan)
    print(show_plan(plan), flush=True)
    if plan["refused"]:
        sys.exit(plan["refused"])


if __name__ == "__main__":
    main()
