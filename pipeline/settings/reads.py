"""The settings that each rule reads, declared once.

Snakemake's parameters, those of DVC's stages and the column "read by" of docs/configuration.md follow from READS. A
script is handed its part of the settings, and nothing else.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.settings.check import load_schema
from pipeline.settings.flags import NO_FLAGS, sft_settings
from pipeline.settings.losses import PREFERENCES
from pipeline.settings.runs import Run
from pipeline.settings.sweep import SECTIONS

Config = Mapping[str, Any]

# A section stands for all settings in it.
TRAINING = (
    *("gates.collapse", "gates.loss_share", "gates.chosen_fall"),
    *("prompt", "tracking", "train.nodes", "train.gpus", "train.cpu_processes", "train.small"),
)
MERGE = ("infer.gpus", "infer.torch_dtype", "merge.max_shard_size", "prompt")
INFER = tuple(f"infer.{name}" for name in load_schema()["properties"]["infer"]["properties"] if name != "prompts")
ANSWERS = (*INFER, "dpo.experts_impl", "prompt")
TOKENS = ("dpo.max_length", "dpo.truncation_strategy", "dpo.loss_scale", "prompt")
SFT = tuple(name for name in load_schema()["properties"]["sft"]["properties"] if name not in NO_FLAGS)
# What SFT takes from `dpo`: what says nothing of pairs, and what `sft` has no value of its own for.
SFT_FROM_DPO = tuple(
    name for name in load_schema()["properties"]["dpo"]["properties"] if name not in (*PREFERENCES, *SFT)
)
# What has a part in a run's results: not where DVC keeps them, nor the other points of a sweep.
RESULTS = tuple(name for name in load_schema()["properties"] if name not in ("dvc", "sweep"))
# The points of a sweep, with their values of what it sets, which is in these sections.
POINTS = ("run", "sweep", *SECTIONS)
CONVERSION = tuple(
    f"data.{name}"
    for name in (
        *("format", "columns", "ignore", "on_problem", "languages", "system", "min_margin", "earlier_thinking"),
        *("analyses", "max_unpacked_gb"),
    )
)
READS: dict[str, tuple[str, ...]] = {
    "convert_preferences": ("data.raw", "data.split_seed", *CONVERSION),
    "convert_val": ("data.val", *CONVERSION),
    "hold_out_pairs": ("data.val_overlap",),
    "split_preferences": ("data.val_fraction", "data.val_max", "data.split_seed", "data.split_by_tag"),
    "build_tiny_model": ("model.tiny", "prompt"),
    "build_random_model": ("model.tiny",),
    "check_model": ("model.folder",),
    "dequantise_model": ("model.folder",),
    "check_tokens": ("data.on_problem", *TOKENS),
    "check_tokens_early": ("data.on_problem", *TOKENS),
    "prepare_sft": ("sft.data", "data.analyses"),
    "train_sft": (*(f"sft.{name}" for name in SFT), *(f"dpo.{name}" for name in SFT_FROM_DPO), *TRAINING),
    "train_dpo": ("dpo", "train.fast", *TRAINING),
    "tabulate_curves": (),
    "merge_sft": MERGE,
    "merge_adapter": (*MERGE, "merge.format"),
    "export_gguf": ("prompt",),
    "infer_shard": ANSWERS,
    "infer_shard_before": ANSWERS,
    "gather_predictions": ("infer.answers_per_prompt",),
    "gather_predictions_before": ("infer.answers_per_prompt",),
    "infer_shard_analyses": ANSWERS,
    "add_analyses": ("infer.answers_per_prompt", "dpo.max_length", "dpo.loss_scale", "prompt"),
    "check_prompts": ("data.system", "data.columns", "data.ignore", "data.earlier_thinking"),
    "infer_shard_prompts": ANSWERS,
    "gather_predictions_prompts": ("infer.answers_per_prompt",),
    "evaluate_answers": (
        *("data.languages", "evaluate.terms", "evaluate.own", "evaluate.resamples", "evaluate.seed"),
        "gates.lost_finals",
    ),
    "score_pairs": (
        *("infer.gpus", "infer.shards", "infer.torch_dtype", "infer.attn_impl", "dpo.experts_impl"),
        *("evaluate.batch_size", *TOKENS),
    ),
    "check_neutral": (),
    "score_neutral": (
        *("infer.gpus", "infer.torch_dtype", "infer.attn_impl", "dpo.experts_impl"),
        *("evaluate.batch_size", "prompt"),
    ),
    "evaluate_neutral": ("evaluate.resamples", "evaluate.seed", "gates.forgotten"),
    "evaluate_pairs": ("dpo.beta", "evaluate.resamples", "evaluate.seed"),
    "track_answers": ("tracking",),
    "gather_metrics": ("evaluate.external",),
    "judge_answers": ("evaluate.judge", "evaluate.seed"),
    "score_comet": ("evaluate.comet", "infer.gpus"),
    "write_report": RESULTS,
    "write_model_card": (
        *("data.raw", "data.val", "data.languages", "data.system", "data.analyses", "model.folder"),
        *("model.random", "prompt"),
        *("sft.enabled", "sft.join", "infer.max_new_tokens"),
    ),
    "write_provenance": RESULTS,
    "tabulate_sweep": POINTS,
    "write_sweep_report": POINTS,
}
# Read when the graph is built: they decide which jobs there are, or what DVC keeps.
GRAPH = (
    *(
        "run",
        "sweep",
        "data.val",
        "data.analyses",
        "sft.enabled",
        "sft.join",
        "model.folder",
        "model.weights",
        "model.random",
    ),
    *("merge.format", "export.gguf", "infer.shards", "infer.prompts", "evaluate.neutral", "tracking.mode"),
    "dvc.push_merged",
)


def part_for(rule: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the settings that a rule reads, with the names of config.yaml.

    SFT is handed `dpo` with the values that `sft` has instead, in the order of `dpo`: the name of the checkpoints'
    folder depends on it.
    """
    if rule == "train_sft":
        return {"dpo": sft_settings(config)} | pick(TRAINING, config)
    return pick(READS[rule], config)


def hand_parts(runs: Mapping[str, Run]) -> Callable[[str], Callable[[Any], str]]:
    """Return a function that says what part of the settings the jobs of a rule get: as JSON, by wildcards."""
    return lambda rule: lambda wildcards: json.dumps(part_for(rule, runs[wildcards.run].settings), ensure_ascii=False)


def pick(settings: Iterable[str], config: Config) -> dict[str, Any]:
    """Return a part of the settings: whole sections, and single ones by their dotted paths."""
    part: dict[str, Any] = {}
    for setting in settings:
        section, _, name = setting.partition(".")
        if name:
            part.setdefault(section, {})[name] = config[section][name]
        else:
            part[section] = config[section]
    return part


def reads(rule: str, setting: str) -> bool:
    """Say whether a rule reads a setting, which is a dotted path."""
    return any(setting == known or setting.startswith(f"{known}.") for known in READS[rule])


def readers_of(setting: str) -> Iterator[str]:
    """Yield the rules that read a setting."""
    return (rule for rule in READS if reads(rule, setting))


def list_settings(schema: Mapping[str, Any], config: Any, prefix: str = "") -> Iterator[str]:
    """Yield every setting of `config` that is not a section, as a dotted path."""
    for name, part in schema["properties"].items():
        if "properties" in part and isinstance(config[name], dict):
            yield from list_settings(part, config[name], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
