"""Write the hours of a plan, GPU by GPU: a part of show_plan.py."""

from typing import Any

from pipeline.planning.gpus import GIB, GPUS, MEASURED, find_gpu
from pipeline.planning.tables import align_columns, duration, hours, name_kinds

Plan = dict[str, Any]


def show_hours(plan: Plan) -> list[str]:
    """Return the hours on each GPU, the recipe for those that are too small, and how reliable they are."""
    return ["Hours, estimated", *show_steps(plan), *show_gpus(plan), *show_faster(plan), *show_sources(plan)]


def show_steps(plan: Plan) -> list[str]:
    """Return the seconds of a step of each kind of training, on the GPU that is asked for."""
    gpu = find_gpu(plan["gpu_model"])
    if not gpu:
        return []
    kinds = name_kinds(plan["trainings"], ("seconds", "step_seconds"))
    took = [(name, kind["step_seconds"][gpu.name], hours(kind["seconds"][gpu.name])) for name, kind in kinds]
    return [f"  {name}: {step:.1f} s a step, {whole} hours on {gpu.name}" for name, step, whole in took]


def show_gpus(plan: Plan) -> list[str]:
    """Return a line for each GPU: the hours of each kind of work, or which recipe fits into it."""
    asked, recipes, columns = find_gpu(plan["gpu_model"]), plan["recipes"], columns_of(plan)
    names = {gpu.name: f"{gpu.name} (set)" if gpu is asked else gpu.name for gpu in GPUS}
    rows = [
        [
            names[gpu.name],
            f"{gpu.memory / GIB:.1f}",
            *(row_of(plan, gpu.name) if recipes["fits"][gpu.name] else [""] * len(columns)),
        ]
        for gpu in GPUS
    ]
    head = [f"{plan['gpus']} of", "GiB", *columns]
    lines = align_columns(head, rows, max(map(len, names.values())))
    too_small = {gpu.name: f"does not fit{instead(recipes['recipes'].get(gpu.name))}" for gpu in GPUS}
    return [
        lines[0],
        *(
            line if recipes["fits"][gpu.name] else f"{line.rstrip()}  {too_small[gpu.name]}"
            for gpu, line in zip(GPUS, lines[1:], strict=True)
        ),
    ]


def instead(recipe: str | None) -> str:
    """Return the recipe that fits where the settings do not."""
    return f"; {recipe} does" if recipe else ", and no recipe does"


def columns_of(plan: Plan) -> dict[str, dict[str, float]]:
    """Return the seconds on each GPU by kind of work, in the order in which it is done."""
    inference = plan["inference"]
    analyses = {"analyses": inference["analyses_seconds"]} if inference["analyses"] else {}
    answers, scores = inference["answers_seconds"], inference["scores_seconds"]
    return analyses | {"training": plan["seconds"], "answers": answers, "scores": scores}


def row_of(plan: Plan, gpu: str) -> list[str]:
    """Return the hours on a GPU of each kind of work; a dash for those that are not estimated."""
    return [hours(seconds[gpu]) if gpu in seconds else "-" for seconds in columns_of(plan).values()]


def show_faster(plan: Plan) -> list[str]:
    """Return a line about the recipe that is faster than the settings, if there is one."""
    if not (faster := plan["recipes"]["faster"]):
        return []
    seconds, own = faster["seconds"], faster["own_seconds"]
    return [
        f"  {faster['recipe']} on {faster['gpus']} x {plan['gpu_model']} trains {own / seconds:.1f} times as fast: "
        f"{duration(seconds)} for {duration(own)},",
        f"  and takes pairs of up to {faster['longest']:,} tokens; dpo.max_length here is {plan['max_length']:,}.",
    ]


def show_sources(plan: Plan) -> list[str]:
    """Return the lines that say where the hours are from, and for what they stand."""
    inference = plan["inference"]
    lines = [f"  Measured: {' and '.join(MEASURED)}, up to four of one host. All others: scaled by data sheets."]
    if len(inference["answers_seconds"]) < len(GPUS):
        lines.append("  -: not estimated: vLLM, the CPU, or a model larger than the memory of infer.gpus.")
    if inference["answers_seconds"]:
        length = f"{inference['max_new_tokens']:,} tokens"
        lines.append(f"  Answers of {inference['models']} models, each as long as it may be: {length}.")
    if inference["analyses"]:
        lines.append(f"  Analyses: the base model's answers to {inference['analyses']:,} prompts (data.analyses).")
    if inference["answers_seconds"] and inference["packed"]:
        lines.append("  For each of their tokens all packed experts are dequantised: memory's bandwidth decides.")
    return [*lines, "  Not measured: several machines. Not in it: loading, compiling, merging. More: docs/planning.md."]
