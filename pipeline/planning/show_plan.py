"""Write a plan as tables for a terminal of 100 columns."""

import textwrap
from typing import Any

from pipeline.planning.show_hours import show_hours
from pipeline.planning.tables import align_columns, amount, gib, name_kinds, size

Plan = dict[str, Any]

PARTS = {
    "weights": "weights",
    "packed": "packed experts, whole on each GPU",
    "gathered": "weights fetched from other GPUs",
    "adapter": "adapter",
    "gradients": "gradients of the adapter",
    "optimiser": "AdamW's float32 copy and moments",
    "kept": "kept for the backward pass",
    "logits": "logits, or ...",
    "layer": "... one layer at work, the larger",
    "overhead": "CUDA, buffers, the allocator's slack",
    "total": "in all",
}


def show_plan(plan: Plan) -> str:
    """Return the plan in words and tables."""
    blocks = [show_head(plan), show_counts(plan)]
    if plan["gpus"]:
        blocks += [show_memory(plan), show_hours(plan)]
    else:
        said = "No GPU is asked for (train.gpus is 0): neither GPU memory nor hours are estimated."
        blocks.append([said])
    blocks.append(show_disk(plan))
    return "\n\n".join("\n".join(lines) for lines in blocks)


def show_head(plan: Plan) -> list[str]:
    """Return the head of the plan: the trainings, the model, the pairs, and whether tokens were counted."""
    trainings, model, pairs = plan["trainings"], plan["model"], plan["pairs"]
    where = f"{plan['gpus']} x {plan['gpu_model']}" if plan["gpus"] else f"the CPU, {plan['processes']} processes"
    many = "1 training" if len(trainings) == 1 else f"{len(trainings)} trainings, each"
    lines = [
        f"Plan of {plan['run']}: {many} on {where}",
        f"  model   {model['shape']}",
        f"          {amount(model['parameters'])} weights, {amount(model['active_parameters'])} of them at work for a "
        f"token; {size(model['bytes'])} in bfloat16",
        f"  pairs   {pairs['train']:,} to train, {pairs['held_out']:,} held out",
    ]
    if pairs["counted"]:
        lines.append("  tokens  counted by the run's tokenizer")
    else:
        lines += [
            "  tokens  estimated from the text, not counted (some percent off in all, up to 20 for a pair):",
            *(f"          {line}" for line in textwrap.wrap(pairs["why_not_counted"], 88, break_on_hyphens=False)),
        ]
    if plan["analyses"]:
        lines += [
            "          each answer begins with an analysis (data.analyses), here as long as it may be:",
            f"          {plan['analyses']:,} tokens, or as many as fit into dpo.max_length",
        ]
    if pairs["too_long"]:
        lines.append(
            f"          {pairs['too_long']:,} training pairs are longer than dpo.max_length, and left out here"
        )
    return lines


def show_counts(plan: Plan) -> list[str]:
    """Return rows, steps and tokens of each training."""
    head = ["", "rows", "a step", "steps an epoch", "epochs", "steps", "tokens an epoch", "padded", "longest"]
    keys = ("rows", "rows_per_step", "steps_per_epoch", "epochs", "steps", "tokens", "padded_tokens", "longest")
    named = name_kinds(plan["trainings"], keys)
    first = max(len(name) for name, _ in named)
    rows = [[name, *(f"{kind[key]:,}" for key in keys)] for name, kind in named]
    return ["Rows, steps, tokens", *align_columns(head, rows, first)]


def show_memory(plan: Plan) -> list[str]:
    """Return the memory of a GPU by part, of the training that needs most, and whether it fits."""
    training = max(plan["trainings"], key=lambda row: row["needed"])
    memory = training["memory"]
    own = training["deepspeed"]
    head = ["", f"{own} (set)", *(name for name in memory if name != own)]
    rows = [
        [text, *(gib(memory[name][part]) for name in memory)]
        for part, text in PARTS.items()
        if any(memory[name][part] for name in memory)
    ]
    of = "" if len(plan["trainings"]) == 1 else f" of the {training['stage']} training of {training['run']}"
    lines = [
        f"GPU memory{of} in GiB: {training['sequences']} sequences of {training['longest']:,} tokens at once",
        *align_columns(head, rows, max(map(len, PARTS.values()))),
    ]
    total = memory[own]["total"]
    if training["needed"] > total:
        lines.append(f"  Measuring the held-out rows needs more: {gib(training['needed'])}.")
    return [*lines, f"  {judge(plan, training)}"]


def judge(plan: Plan, training: Plan) -> str:
    """Return whether a training fits into its GPU, and up to which length."""
    if plan["gpu_memory"] is None:
        asked = plan["gpu_model"]
        return f"train.gpu_model {asked} names none of the GPUs below, or several of them: nothing is refused."
    fits = "fits" if training["needed"] <= plan["gpu_memory"] else "does not fit"
    longest = (
        f"the longest sequence that does: {training['longest_fit']:,} tokens"
        if training["longest_fit"]
        else "none does"
    )
    return f"Of {gib(plan['gpu_memory'])} on {plan['gpu_model']}: it {fits}; {longest}."


def show_disk(plan: Plan) -> list[str]:
    """Return the bytes that the run leaves on disk."""
    rows = [[name, size(count)] for name, count in [*plan["disk"].items(), ("in all", sum(plan["disk"].values()))]]
    model = size(plan["model"]["folder_bytes"])
    beside = "" if "built model" in plan["disk"] else f", beside the {model} of the model itself"
    return [f"Disk under results/{beside}", *align_columns(["", ""], rows, max(len(row[0]) for row in rows))[1:]]
