"""Estimate what a run leaves on disk, in bytes."""

import math
from dataclasses import dataclass
from typing import Any

from pipeline.models.expected_tensors import PACKED_TYPE, expect_tensors, is_part
from pipeline.models.shape import Shape, count_adapter
from pipeline.planning.load import Load
from pipeline.planning.memory import OPTIMISER_BYTES
from pipeline.planning.weights import TYPE_BYTES

Settings = dict[str, Any]

# Of a checkpoint, whatever the model: README, settings, trainer state, DeepSpeed's scripts; and of each process: state
# of the random numbers, headers of its shards. Counted in a checkpoint of the tiny model.
CHECKPOINT_BYTES, PROCESS_BYTES = 110_000, 37_500
ANSWER_BYTES = 4  # of a token of an answer, in UTF-8
NOTED_BYTES = 80  # of what a row says of its answer: how it ended, and its tokens
SCORE_BYTES = 130  # of a row of score_pairs.py: a pair's id, tokens and two log-probabilities
PACKED = {"quantization_config": {"quant_method": PACKED_TYPE}}  # in config.json
MODEL_TYPE = "bfloat16"  # models are built in it, and merged unless they keep the format of a packed base


@dataclass(frozen=True)
class Disk:
    """Bytes that one training leaves."""

    checkpoints: int
    adapter: int
    merged: int


def model_bytes(shape: Shape) -> int:
    """Return the bytes of the model's weights."""
    return shape.parameters * TYPE_BYTES[MODEL_TYPE]


def packed_bytes(shape: Shape) -> int:
    """Return the bytes of the model's weights with its experts packed."""
    return sum(kind.size for kind in expect_tensors(shape, PACKED).values())


def beside_experts_bytes(shape: Shape) -> int:
    """Return the bytes of the weights that are never packed."""
    return sum(kind.size for name, kind in expect_tensors(shape, PACKED).items() if not is_part(name))


def count_checkpoints(flags: Settings, load: Load) -> int:
    """Return the checkpoints that lie there at one time: those that are kept, and one that is being written."""
    epochs = math.ceil(load.epochs)
    saves = epochs if flags["save_strategy"] == "epoch" else math.ceil(load.steps / flags["save_steps"])
    return int(min(saves, flags["save_total_limit"] + 1))


def checkpoint_bytes(shape: Shape, flags: Settings, processes: int) -> int:
    """Return the bytes of a checkpoint: the adapter, and AdamW's states of it, in shards or not."""
    weight = TYPE_BYTES[flags["torch_dtype"]] + OPTIMISER_BYTES
    return weight * count_adapter(shape, flags) + CHECKPOINT_BYTES + PROCESS_BYTES * processes


def training_disk(shape: Shape, flags: Settings, load: Load, merged: int) -> Disk:
    """Return the bytes that a training leaves; `merged` are those of the model that its adapter becomes."""
    return Disk(
        checkpoints=count_checkpoints(flags, load) * checkpoint_bytes(shape, flags, load.processes),
        adapter=TYPE_BYTES[flags["torch_dtype"]] * count_adapter(shape, flags),
        merged=merged,
    )


def answers_bytes(prompts: int, prompt_bytes: int, max_new_tokens: int, models: int) -> int:
    """Return the most that inference writes: each model's answers in shards and in one file, and all side by side."""
    answers = prompts * (max_new_tokens * ANSWER_BYTES + NOTED_BYTES)
    return 2 * models * (prompt_bytes + answers) + prompt_bytes + models * answers


def scores_bytes(pairs: int, models: int) -> int:
    """Return the bytes that scoring writes: each model's scores in shards, and all side by side."""
    return 2 * models * pairs * SCORE_BYTES


def analyses_bytes(pairs: int, pairs_bytes: int, each: int, max_new_tokens: int, copies: int) -> int:
    """Return the most that analyses take: `each` answers to every prompt, and a copy of the pairs with them.

    `copies` are those of the pairs without that one. All but pairs.jsonl and the split hold analyses, twice a pair.
    """
    analysis = max_new_tokens * ANSWER_BYTES
    answers = each * (pairs_bytes + pairs * (analysis + NOTED_BYTES))
    return answers + pairs_bytes + (copies - 1) * pairs * 2 * analysis
