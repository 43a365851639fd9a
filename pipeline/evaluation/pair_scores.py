"""The log-probabilities of held-out pairs under several models."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.score_files import read_score_rows
from pipeline.evaluation.shards import join_shards, take_shard
from pipeline.files.json_lines import iterate_json_lines

# By score_pairs.py, of each pair.
WRITTEN = ("id", "chosen_tokens", "rejected_tokens", "chosen_logp", "rejected_logp")
Array = NDArray[np.float64]


@dataclass
class PairScores:
    """The values that figures of pairs are computed from; arrays have an entry for each pair, in order.

    `chosen` and `rejected` hold log-probabilities by model, in nats; `tokens` the lengths of both answers.
    """

    ids: list[str]
    tags: list[str | None]
    prompts: NDArray[np.int64]
    tokens: NDArray[np.int64]
    chosen: dict[str, Array]
    rejected: dict[str, Array]
    reference: str
    beta: float

    @property
    def models(self) -> list[str]:
        """The models, in the order of their training."""
        return list(self.chosen)

    def reward(self, logps: Mapping[str, Array], model: str) -> Array:
        """Return the rewards of answers with these log-probabilities."""
        return self.beta * (logps[model] - logps[self.reference])

    def margin(self, model: str) -> Array:
        """Return the reward margin of each pair."""
        return self.reward(self.chosen, model) - self.reward(self.rejected, model)


def read_pair_scores(files: Mapping[str, list[Path]], pairs: Path, reference: str, beta: float) -> PairScores:
    """Return the scores of each model, from the files of its shards, and the scored pairs."""
    held_out = list(iterate_json_lines(pairs))
    numbers: dict[str, int] = {}
    prompts = [numbers.setdefault(name_prompt(row), len(numbers)) for row in held_out]
    rows = {model: gather_shards(paths, [row["id"] for row in held_out], pairs) for model, paths in files.items()}
    first = next(iter(rows.values()))
    return PairScores(
        ids=[row["id"] for row in held_out],
        tags=[row.get("tag") for row in held_out],
        prompts=np.array(prompts, np.int64),
        tokens=np.array([[row["chosen_tokens"], row["rejected_tokens"]] for row in first], np.int64),
        chosen={model: column(found, "chosen_logp") for model, found in rows.items()},
        rejected={model: column(found, "rejected_logp") for model, found in rows.items()},
        reference=reference,
        beta=beta,
    )


def name_prompt(pair: Mapping[str, Any]) -> str:
    """Return all that the prompt of a pair is made of, as one text."""
    beside = [pair.get("tools"), pair.get("chat_template_kwargs")]
    return json.dumps([pair["messages"][:-1], *beside], ensure_ascii=False)


def gather_shards(paths: list[Path], ids: list[str], pairs: Path) -> list[dict[str, Any]]:
    """Return the rows of all shards in the order of the pairs."""
    shards = [read_score_rows(path, WRITTEN) for path in paths]
    for shard, (path, rows) in enumerate(zip(paths, shards, strict=True)):
        if [row["id"] for row in rows] != take_shard(ids, shard, len(shards)):
            sys.exit(f"{path}: not the scores of the pairs in {pairs}; delete it and run again")
    return join_shards(shards)


def column(rows: Iterable[Mapping[str, Any]], name: str) -> Array:
    """Return one value of each row."""
    return np.array([row[name] for row in rows], np.float64)
