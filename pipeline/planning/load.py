"""The work of a training: its rows, its steps, and the tokens of a batch."""

import math
import random
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean as mean
from typing import Any

from pipeline.planning.tokens import PairTokens
from pipeline.settings.losses import has_reference
from pipeline.training.row_length import row_length

Settings = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One row of a training: the tokens of each of its sequences, and of the prompt before them."""

    sequences: tuple[int, ...]
    prompt: int

    @property
    def packed_tokens(self) -> int:
        """Return the tokens of the row with its prompt once."""
        return self.prompt + sum(tokens - self.prompt for tokens in self.sequences)


@dataclass(frozen=True)
class Load:
    """The rows of a training, and how they are dealt out."""

    rows: tuple[Row, ...]
    processes: int
    batch: int  # rows a process takes at once
    accumulation: int  # batches that a process sums before a step
    epochs: float
    packed: bool = False  # pairs in one row, without padding

    @property
    def batches(self) -> int:
        """Return the batches of a process in an epoch: plugins/every_row.py gives each its share, rounded up."""
        return math.ceil(math.ceil(len(self.rows) / self.processes) / self.batch)

    @property
    def steps_per_epoch(self) -> int:
        """Return the steps of an epoch; the last one may have fewer batches (transformers' Trainer)."""
        return math.ceil(self.batches / self.accumulation)

    @property
    def steps(self) -> int:
        """Return the steps in all, rounded up as transformers' Trainer does it."""
        return math.ceil(self.epochs * self.steps_per_epoch)

    @property
    def rows_per_step(self) -> int:
        """Return the rows that a full step learns from."""
        return self.processes * self.batch * self.accumulation

    @property
    def sequences(self) -> int:
        """Return the sequences of a batch of one process."""
        return self.batch * len(self.rows[0].sequences)

    @property
    def tokens(self) -> int:
        """Return the tokens of all rows, without padding."""
        return sum(sum(row.sequences) for row in self.rows)

    @property
    def longest(self) -> int:
        """Return the tokens of the longest sequence."""
        return max(max(row.sequences) for row in self.rows)

    @property
    def shortest_prompt(self) -> int:
        """Return the tokens of the shortest prompt."""
        return min(row.prompt for row in self.rows)

    def random_batches(self) -> list[list[Row]]:
        """Return the rows in batches, in one random order; in a file sorted by length, too little padding is needed."""
        rows = list(self.rows)
        random.Random(0).shuffle(rows)
        return [rows[start : start + self.batch] for start in range(0, len(rows), self.batch)]

    @cached_property
    def padded_length(self) -> float:
        """Return the mean length to which a batch is padded: that of its longest sequence."""
        return mean(max(max(row.sequences) for row in batch) for batch in self.random_batches())

    @cached_property
    def batch_tokens(self) -> float:
        """Return the mean tokens of a batch of one process, padding included."""
        if self.packed:
            return mean(row_length(sum(row.packed_tokens for row in batch)) for batch in self.random_batches())
        return self.padded_length * self.sequences

    @property
    def padded_tokens(self) -> int:
        """Return the tokens of an epoch with padding, over all processes."""
        return round(self.batch_tokens * self.batches * self.processes)


def preference_rows(pairs: list[PairTokens], kind: str) -> tuple[Row, ...]:
    """Return the rows of a preference training: a pair each, or with kto an answer each."""
    if kind == "kto":
        answers = [(pair.prompt, answer) for pair in pairs for answer in (pair.chosen, pair.rejected)]
        return tuple(Row((answer,), prompt) for prompt, answer in answers)
    return tuple(Row((pair.chosen, pair.rejected), pair.prompt) for pair in pairs)


def sft_rows(pairs: list[PairTokens]) -> tuple[Row, ...]:
    """Return the rows of the SFT: prompts with their chosen answers."""
    return tuple(Row((pair.chosen,), pair.prompt) for pair in pairs)


def make_load(rows: tuple[Row, ...], processes: int, flags: Settings) -> Load:
    """Return the load of training rows under the flags of a training."""
    return Load(
        rows=rows,
        processes=processes,
        batch=flags["per_device_train_batch_size"],
        accumulation=flags["gradient_accumulation_steps"],
        epochs=flags["num_train_epochs"],
        packed=bool(flags.get("packed_pairs")),
    )


def held_out_load(rows: tuple[Row, ...], processes: int, flags: Settings) -> Load:
    """Return the load of measuring held-out rows once."""
    batch, packed = flags["per_device_eval_batch_size"], bool(flags.get("packed_pairs"))
    return Load(rows, processes, batch, accumulation=1, epochs=1, packed=packed)


def count_passes(flags: Settings) -> int:
    """Count the passes of a batch through the model: forward, backward, again for checkpointing, and the reference.

    kto reads another prompt's answers, too, with policy and reference. SFT has no `rlhf_type`.
    """
    kind = flags.get("rlhf_type")
    return 2 + bool(flags["gradient_checkpointing"]) + has_reference(kind) + 2 * (kind == "kto")


def count_evaluations(flags: Settings) -> int:
    """Return how often the held-out rows are measured."""
    each_epoch = math.ceil(flags["num_train_epochs"]) if flags["eval_strategy"] == "epoch" else 0
    return each_epoch + bool(flags["eval_on_start"])
