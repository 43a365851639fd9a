"""Estimate how long answers and scores of a run take on a GPU.

Answers are transformers' own: a pass over the prompts of a batch, and then one for each token of all its answers. That
pass takes the longer of two times: that in which Python hands it over, and that in which the GPU's memory moves the
weights of the experts at work. Packed experts are dequantised for every token, all of them. Scores are a pass over
the pairs.
"""

import math
from dataclasses import dataclass
from statistics import fmean as mean
from typing import Any

from pipeline.models.shape import Shape
from pipeline.planning.gpus import GPUS, Gpu
from pipeline.planning.hours import DEQUANTISING, MEASURED, batch_seconds, dequantise_seconds
from pipeline.planning.load import Load, Row
from pipeline.planning.trainings import Pairs, trains_packed
from pipeline.planning.weights import PACKED_BYTES, TYPE_BYTES, packed_weights, plain_weights
from pipeline.settings.runs import Run, list_runs
from pipeline.settings.sweep import list_points

Settings = dict[str, Any]

# Seconds in which Python hands over the pass of a token: 34 ms on one H200 (benchmarks/results/inference_speed.json).
HAND_OVER = 0.034


@dataclass(frozen=True)
class Inference:
    """What one model answers and scores."""

    flags: Settings
    max_new_tokens: int
    prompts: Load
    pairs: Load
    rounds: int  # in which the shards are done, where not all have GPUs at the same time
    gpus: int  # that share the model


def list_inferences(config: Settings, pairs: Pairs, own: int) -> list[Inference]:
    """Return one for each model of each point: the tuned one, which answers `own` other prompts too, and those before.

    Points share the models before DPO where their settings of answers are the same. The base's analyses, if
    data.analyses asks for them, are in list_analyses().
    """
    runs, found = list_runs(config), []
    points = [runs[point.run] for point in list_points(config)]
    for run in {run.before: run for run in points}.values():
        packed = {"base": run.is_packed and run.base.folder == run.published.folder, "sft": trains_packed(run, "dpo")}
        found += [make_inference(run, packed[name], pairs, 0) for name in run.models_before]
    return [*found, *(make_inference(run, run.stays_packed, pairs, own) for run in points)]


def list_analyses(config: Settings, pairs: Pairs) -> list[Inference]:
    """Return the base model's answers to the prompts of each side of the split, if data.analyses asks for them.

    All points of a sweep share them.
    """
    if not config["data"]["analyses"]:
        return []
    run = list_runs(config)[config["run"]]
    packed = run.is_packed and run.base.folder == run.published.folder
    sides = [Pairs(train=pairs.train, held_out=side, conversations=[]) for side in (pairs.train, pairs.held_out)]
    return [make_inference(run, packed, side, 0) for side in sides]


def make_inference(run: Run, packed: bool, pairs: Pairs, own: int) -> Inference:
    """Return the inference of one model: of the held-out pairs."""
    settings, infer, train = run.settings, run.settings["infer"], run.settings["train"]
    held_out, shards = pairs.held_out, infer["shards"]
    lengths = [tokens.prompt for tokens in held_out]
    lengths += [round(mean(tokens.prompt for tokens in pairs.train))] * own
    prompts = [Row((length,), length) for length in lengths for _ in range(infer["answers_per_prompt"])]
    scored = tuple(Row((tokens.chosen, tokens.rejected), tokens.prompt) for tokens in held_out)
    flags = {"packed_experts": packed, "torch_dtype": infer["torch_dtype"], "attn_impl": infer["attn_impl"]}
    flags |= {"experts_impl": settings["dpo"]["experts_impl"], "deepspeed": None, "target_parameters": None}
    at_once = max(1, train["nodes"] * train["gpus"] // max(1, infer["gpus"]))
    return Inference(
        flags=flags,
        max_new_tokens=infer["max_new_tokens"],
        prompts=Load(tuple(prompts), shards, infer["max_batch_size"], accumulation=1, epochs=1),
        pairs=Load(scored, shards, settings["evaluate"]["batch_size"], accumulation=1, epochs=1),
        rounds=math.ceil(shards / at_once),
        gpus=infer["gpus"],
    )


def token_seconds(shape: Shape, flags: Settings, gpu: Gpu, prompts: int) -> float:
    """Return the seconds of a pass over one token of each of several answers."""
    experts = shape.layers * sum(shape.layer_products)
    others = shape.parameters - experts - shape.vocabulary * shape.hidden  # of the embeddings, a row is read
    used = min(1, prompts * shape.experts_per_token / shape.experts) * experts
    reading = TYPE_BYTES[flags["torch_dtype"]] * (others + used) / (DEQUANTISING * gpu.bandwidth)
    return max(HAND_OVER * shape.layers / MEASURED.layers, reading + dequantise_seconds(shape, flags, gpu))


def fits(shape: Shape, inference: Inference, gpu: Gpu) -> bool:
    """Return whether the model itself is smaller than the memory of its GPUs."""
    flags = inference.flags
    size = TYPE_BYTES[flags["torch_dtype"]] * plain_weights(shape, flags) + PACKED_BYTES * packed_weights(shape, flags)
    return size < inference.gpus * gpu.memory


def answer_seconds(shape: Shape, inference: Inference, gpu: Gpu) -> float:
    """Return the seconds of the answers of a model, if every one is as long as it may be."""
    load = inference.prompts
    if not load.rows:
        return 0
    prompts = min(load.batch, math.ceil(len(load.rows) / load.processes))
    first = batch_seconds(shape, inference.flags, gpu, load.batch_tokens, load.padded_length, passes=1)
    later = inference.max_new_tokens * token_seconds(shape, inference.flags, gpu, prompts)
    return inference.rounds * load.batches * (first + later)


def score_seconds(shape: Shape, inference: Inference, gpu: Gpu) -> float:
    """Return the seconds of the scores of a model."""
    load = inference.pairs
    if not load.rows:
        return 0
    once = batch_seconds(shape, inference.flags, gpu, load.batch_tokens, load.padded_length, passes=1)
    return inference.rounds * load.batches * once


def plan_inference(shape: Shape, config: Settings, pairs: Pairs, own: int) -> dict[str, Any]:
    """Return the seconds of answers and scores on the GPUs that can hold the models; of vLLM's answers none."""
    asked, analyses = list_inferences(config, pairs, own), list_analyses(config, pairs)
    able = [gpu for gpu in GPUS if all(fits(shape, one, gpu) for one in asked)]
    answering = able if config["infer"]["backend"] == "transformers" else []
    return {
        "models": len(asked),
        "max_new_tokens": config["infer"]["max_new_tokens"],
        "packed": any(one.flags["packed_experts"] for one in asked),
        "answers_seconds": {gpu.name: sum(answer_seconds(shape, one, gpu) for one in asked) for gpu in answering},
        "analyses": sum(len(one.prompts.rows) for one in analyses),
        "analyses_seconds": {gpu.name: sum(answer_seconds(shape, one, gpu) for one in analyses) for gpu in answering},
        "scores_seconds": {gpu.name: sum(score_seconds(shape, one, gpu) for one in asked) for gpu in able},
    }
