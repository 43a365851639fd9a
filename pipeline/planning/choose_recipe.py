"""Choose the recipe of experiments/ for some GPUs and pairs, with what has to be changed in it."""

import math
from pathlib import Path
from typing import Any

from pipeline.models.shape import Shape, find_shape
from pipeline.planning.find_cards import Cards
from pipeline.planning.find_fit import LENGTHS, find_fit
from pipeline.planning.gpus import GIB
from pipeline.planning.tables import gib
from pipeline.planning.tokens import PairTokens
from pipeline.planning.trainings import Pairs, Training, list_trainings, needed_memory
from pipeline.settings.check import load_config
from pipeline.settings.choices import Choice, apply_choices

Settings = dict[str, Any]

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
LARGE, SMALL = "gpt-oss-20b-one-gpu", "gpt-oss-20b-24gb"
LARGE_BYTES = 39 * GIB  # from which the recipe without checkpointing fits
ROWS_PER_STEP = 32  # of every recipe
# Scores have eager attention, one conversation at a time: 8 GiB of 4,096 tokens (experiments/gpt-oss-20b-24gb.yaml).
SCORED_LENGTHS, SCORES_BYTES, MODEL_BYTES = (1024, 2048, 4096, 8192), 8 * GIB, 14 * GIB


def recipe_for(cards: Cards) -> str:
    """Return the recipe for GPUs of this memory."""
    return LARGE if cards.memory >= LARGE_BYTES else SMALL


def choose_cards(cards: Cards, recipe: Settings) -> list[Choice]:
    """Return the settings by which a recipe for one GPU uses several, with the same pairs a step."""
    used = 2 ** int(math.log2(min(cards.count, ROWS_PER_STEP)))
    batch = min(recipe["dpo"]["per_device_train_batch_size"], ROWS_PER_STEP // used)
    evenly = f"{cards}; {used} share the {ROWS_PER_STEP} pairs of a step evenly"
    own = [
        Choice("train.gpus", used, str(cards) if used == cards.count else evenly),
        Choice("train.gpu_model", cards.name, f"{gib(cards.memory)} GiB"),
    ]
    if used == 1:
        return own
    return [
        *own,
        Choice("dpo.per_device_train_batch_size", batch, f"a GPU, of {ROWS_PER_STEP} pairs a step in all"),
        Choice("dpo.gradient_accumulation_steps", ROWS_PER_STEP // used // batch, "batches a step"),
        Choice("infer.shards", used, "answers on each GPU"),
    ]


def choose_length(recipe: Settings, cards: Cards, longest: int) -> Choice:
    """Return dpo.max_length: the recipe's, or more where pairs are longer, up to what scores of them allow."""
    most = max(
        (
            length
            for length in SCORED_LENGTHS
            if MODEL_BYTES + SCORES_BYTES * (length / 4096) ** 2 <= 0.9 * cards.memory
        ),
        default=SCORED_LENGTHS[0],
    )
    needed = LENGTHS.step * math.ceil(longest / LENGTHS.step)
    length = min(most, max(needed, recipe["dpo"]["max_length"]))
    return Choice("dpo.max_length", length, f"the longest pair has {longest:,} tokens")


def choose_fit(shape: Shape, config: Settings, pairs: list[PairTokens], memory: int) -> list[Choice]:
    """Return the changes under which a training of these pairs fits into a GPU; ValueError if there are none."""
    length = config["dpo"]["max_length"]
    kept = [pair for pair in pairs if max(pair) <= length]
    if not kept:
        raise ValueError(f"every pair is longer than {length:,} tokens, the most for such a GPU; take a larger one")
    (training,) = list_trainings(config, Pairs(kept, kept[:1], []))
    if (needed := needed_memory(shape, training)) <= memory:
        return []
    if not (fit := find_fit(shape, training, memory)):
        raise ValueError(f"no settings fit into {gib(memory)} GiB; {gib(needed)} are needed; take a larger GPU")
    why = f"{gib(needed)} GiB are needed without, {gib(fit.memory)} with it"
    return [Choice(name, value, why) for name, value in with_kwargs(fit.changes, training).items()]


def with_kwargs(changes: Settings, training: Training) -> Settings:
    """Return changes with what checkpointing needs beside it in every recipe."""
    if "dpo.gradient_checkpointing" in changes and not training.flags["gradient_checkpointing"]:
        return changes | {"dpo.gradient_checkpointing_kwargs": {"use_reentrant": False}}
    return changes


def choose_recipe(cards: Cards, pairs: list[PairTokens]) -> tuple[str, list[Choice]]:
    """Return the recipe for some GPUs and pairs, and what differs from it; ValueError, in one line, if none fits."""
    name = recipe_for(cards)
    recipe = load_config([EXPERIMENTS / f"{name}.yaml"])
    choices = [*choose_cards(cards, recipe), choose_length(recipe, cards, max(map(max, pairs)))]
    config = apply_choices(recipe, choices)
    fitting = choose_fit(find_shape(config["model"]), config, pairs, cards.memory)
    changed = {choice.name: choice for choice in [*choices, *fitting]}
    return name, list(changed.values())
