"""Find settings under which a training fits into its GPU's memory, as close as possible to those asked for.

Pairs a step stay as they are: a smaller batch is summed up more often. What changes nothing but time comes first:
batch, checkpointing, DeepSpeed's stage, packed experts a few at a time; then how attention is computed; a shorter
dpo.max_length, which costs pairs, comes last.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipeline.launch.plugins import LEVERS
from pipeline.models.shape import Shape
from pipeline.planning.memory import sharding
from pipeline.planning.trainings import Training, needed_memory, read_flags
from pipeline.settings.levers import WHOLE_WEIGHTS

Settings = dict[str, Any]
Option = tuple[int, Settings]  # its cost to the user (docs/planning.md), and the settings by dotted name

SMALL = {"experts_at_once": 4, "host_embeddings": True}  # measured under a limit of 14.6 GiB (docs/performance.md)
LENGTHS = range(64, 131_072 + 1, 64)  # tokens


@dataclass(frozen=True)
class Fit:
    """Settings that fit, by dotted name, and the bytes that a GPU then needs."""

    changes: Settings
    memory: float


def find_fit(shape: Shape, training: Training, memory: float) -> Fit | None:
    """Return the changes under which a training fits into `memory` bytes; None if there are none."""
    options = list_options(training)
    for _, changes in options:
        changed = apply(training, changes)
        if (needed := needed_memory(shape, changed)) <= memory:
            return Fit(changes, needed)
    shortened = [(longest_fit(shape, apply(training, changes), memory), changes) for _, changes in options]
    length, changes = max(shortened, key=lambda found: found[0])  # of equal ones the first, the most welcome
    if length <= training.load.shortest_prompt:
        return None
    return Fit(changes | {"dpo.max_length": length}, needed_memory(shape, apply(training, changes), length))


def longest_fit(shape: Shape, training: Training, memory: float) -> int:
    """Return the longest sequence that fits, in tokens, a multiple of 64; 0 if not even the shortest does."""
    first, last = 0, len(LENGTHS)  # the first `first` fit, those from `last` on do not
    while first < last:
        middle = (first + last) // 2
        if needed_memory(shape, training, LENGTHS[middle]) <= memory:
            first = middle + 1
        else:
            last = middle
    return LENGTHS[first - 1] if first else 0


def apply(training: Training, changes: Settings) -> Training:
    """Return the training under changed settings."""
    config = training.config
    for setting, value in changes.items():
        section, _, key = setting.partition(".")
        config = config | {section: config[section] | {key: value}}
    flags = read_flags(config, training.section)
    load = replace(
        training.load,
        batch=flags["per_device_train_batch_size"],
        accumulation=flags["gradient_accumulation_steps"],
    )
    measured = training.held_out and replace(training.held_out, batch=flags["per_device_eval_batch_size"])
    return replace(training, config=config, load=load, held_out=measured)


def list_options(training: Training) -> list[Option]:
    """Return every combination of changes, the most welcome first."""
    choices = [
        list(smaller_batches(training)),
        list(other_flags(training.flags, training.load.processes)),
        list(smaller_evaluations(training)),
        list(fewer_experts(training)),
    ]
    combined = (
        (sum(weight for weight, _ in chosen), {key: value for _, change in chosen for key, value in change.items()})
        for chosen in itertools.product(*choices)
    )
    goes_together = (one for one in combined if "train.small" not in one[1] or one[1].get("dpo.deepspeed") != "zero3")
    return sorted(goes_together, key=lambda option: option[0])


def smaller_batches(training: Training) -> Iterator[Option]:
    """Yield each size of a batch that goes into the rows of a step, the largest first."""
    load, section = training.load, training.section
    yield 0, {}
    for batch in range(load.batch - 1, 0, -1):
        accumulation, rest = divmod(load.batch * load.accumulation, batch)
        if not rest:
            names = (f"{section}.per_device_train_batch_size", f"{section}.gradient_accumulation_steps")
            yield 1, dict(zip(names, (batch, accumulation), strict=True))


def smaller_evaluations(training: Training) -> Iterator[Option]:
    """Yield the size of a batch of held-out rows, and the smallest."""
    yield 0, {}
    if training.held_out and training.held_out.batch > 1:
        yield 1, {"dpo.per_device_eval_batch_size": 1}


def fewer_experts(training: Training) -> Iterator[Option]:
    """Yield train.small as it is, and as a GPU of 16 GB has it, with what it asks for, where experts are packed."""
    yield 0, {}
    train, is_whole = training.config["train"], training.config["dpo"]["deepspeed"] in WHOLE_WEIGHTS
    plain = {"train.fast": train["fast"] | {"compiled_layers": False}} if train["fast"]["compiled_layers"] else {}
    if training.packed_experts and is_whole and train["small"] != SMALL:
        yield 8, {"train.small": SMALL, **plain}


def other_flags(flags: Settings, processes: int) -> Iterator[Option]:
    """Yield combinations of the other flags that save memory."""
    checkpointing = [(0, {})] if flags["gradient_checkpointing"] else [(0, {}), (2, {"gradient_checkpointing": True})]
    levers = any(flags.get(lever) for lever in LEVERS)  # which ZeRO-3 does not go with
    stages = ("zero0", "zero1", "zero2") if levers else ("zero0", "zero1", "zero2", "zero3")
    current = sharding(flags)
    later = stages[stages.index(current) + 1 :] if current in stages and processes > 1 else ()
    stages_of_zero = [(0, {}), *((2 * stages.index(name), {"deepspeed": name}) for name in later if name != "zero1")]
    experts = [(0, {})] if flags["experts_impl"] != "batched_mm" else [(0, {}), (1, {"experts_impl": "grouped_mm"})]
    attention = [(0, {})] if flags["attn_impl"] != "eager" else [(0, {}), (10, {"attn_impl": "flex_attention"})]
    for chosen in itertools.product(checkpointing, stages_of_zero, experts, attention):
        changes = {f"dpo.{key}": value for _, change in chosen for key, value in change.items()}
        yield sum(weight for weight, _ in chosen), changes
