"""Another value for every setting that can have one."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.settings.check import find_problems, load_schema, merge
from pipeline.settings.losses import OWN_SETTINGS
from pipeline.settings.reads import list_settings

PLAIN_LOSS = {"rlhf_type": "dpo", "loss_type": "sigmoid"} | dict.fromkeys(OWN_SETTINGS)
# Other values of settings whose values cannot be guessed from the schema; of several, the first that is allowed counts.
EXAMPLES: dict[str, tuple[dict[str, Any], ...]] = {
    "data.raw": ({"data": {"raw": "data"}},),
    # Files that are there. Only beside data.val is there anything that it could share.
    "data.val": ({"data": {"val": "tests/golden/formats/swift.jsonl"}},),
    "data.val_overlap": ({"data": {"val": "tests/golden/formats/swift.jsonl", "val_overlap": "drop"}},),
    "data.val_max": ({"data": {"val_max": 50}},),
    "data.languages": ({"data": {"languages": {"source": "de", "target": "fr"}}},),
    "prompt.date": ({"prompt": {"date": "2026-01-02"}},),
    "sft.data": ({"sft": {"data": "config.yaml"}},),  # a file that is there
    # Losses have settings that go with them only.
    "dpo.rlhf_type": (
        {"dpo": PLAIN_LOSS | {"rlhf_type": "orpo", "loss_type": None, "label_smoothing": 0}},
        {"dpo": PLAIN_LOSS},
    ),
    "dpo.loss_type": ({"dpo": {"loss_type": "robust"}}, {"dpo": {"loss_type": "sigmoid", "loss_weights": None}}),
    "dpo.label_smoothing": ({"dpo": {"label_smoothing": 0.25}},),
    "dpo.save_strategy": (
        {"dpo": {"save_strategy": "steps", "save_steps": 1}},
        {"dpo": {"save_strategy": "epoch", "save_steps": None}},
    ),
    "dpo.gradient_checkpointing_kwargs": ({"dpo": {"gradient_checkpointing_kwargs": {"use_reentrant": False}}},),
    "dpo.target_parameters": ({"dpo": {"target_parameters": ["mlp.experts.down_proj"], "lora_dropout": 0}},),
    "tracking.mode": ({"tracking": {"mode": "disabled"}},),  # which changes the graph
    "tracking.host": ({"tracking": {"mode": "cloud", "host": "http://localhost"}},),
    "data.columns": ({"data": {"columns": {"ask": "prompt"}}},),
    "data.ignore": ({"data": {"ignore": ["mood"]}},),
    # vLLM goes with GPUs only.
    "infer.backend": ({"infer": {"backend": "vllm", "gpus": 1}}, {"infer": {"backend": "transformers"}}),
    # Sampling needs a temperature.
    **{
        f"infer.{name}": ({"infer": {"temperature": 1, name: value}},)
        for name, value in {"top_p": 0.5, "top_k": 5, "answers_per_prompt": 2}.items()
    },
    "infer.prompts": ({"infer": {"prompts": {"own": "data/preferences.jsonl"}}},),  # a file that is there
    "model.tiny.conversations": ({"model": {"tiny": {"conversations": "data/preferences.jsonl"}}},),
    "evaluate.terms": ({"evaluate": {"terms": "config.yaml"}},),  # files that are there
    "evaluate.neutral": ({"evaluate": {"neutral": "pipeline/evaluation/neutral_text.jsonl"}},),
    "evaluate.external": ({"evaluate": {"external": {"dpo": ["config.yaml"]}}},),
    "evaluate.own": ({"evaluate": {"own": [{"name": "gate", "function": "pipeline/gates.py:gate", "better": None}]}},),
    "evaluate.comet": ({"evaluate": {"comet": "models/comet"}},),
    "evaluate.judge": (
        {
            "evaluate": {
                "judge": {"url": "http://localhost/v1", "model": "judge", "key_variable": "KEY"}
                | dict.fromkeys(["limit", "prompt"])
            }
        },
    ),
    "evaluate.judge.prompt": ({"evaluate": {"judge": {"prompt": "config.yaml"}}},),
    "merge.max_shard_size": ({"merge": {"max_shard_size": "4GB"}},),
}
IN_PATHS = ("run", "sweep")


def change_setting(config: dict[str, Any], setting: str) -> dict[str, Any] | None:
    """Return an overlay that gives a setting another value, None if no other is allowed."""
    part: Any = load_schema()
    value: Any = config
    for key in setting.split("."):
        part, value = part["properties"][key], value[key]
    changes = EXAMPLES.get(setting) or (nest(setting, other) for other in other_values(part, value))
    changed = ((change, merge(config, change)) for change in changes)
    return next((change for change, new in changed if new != config and not find_problems(new)), None)


def other_values(part: Mapping[str, Any], value: Any) -> Iterator[Any]:
    """Yield values that a setting might have beside its own."""
    if "enum" in part:
        yield from part["enum"]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value * 2, value + 1, value - 1, value / 2, value + 0.5)
    elif isinstance(value, float):
        yield from (value / 2, value + 0.5)
    elif isinstance(value, list):
        yield [f"{value[0]}x"]
    elif isinstance(value, str):
        yield f"{value}x"
    else:
        yield from ("x", True, 1)


def nest(setting: str, value: Any) -> dict[str, Any]:
    """Return an overlay with one setting."""
    for key in reversed(setting.split(".")):
        value = {key: value}
    return dict(value)


def list_changes(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, for every setting that can have another value, an overlay that gives it one.

    The name of the run and the sweep are left out: they are a part of paths.
    """
    known = list_settings(load_schema(), config)
    settings = [setting for setting in known if setting.partition(".")[0] not in IN_PATHS]
    changes = {setting: change_setting(config, setting) for setting in settings}
    return {setting: change for setting, change in changes.items() if change}
