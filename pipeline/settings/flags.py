"""Write settings as flags of `swift`, under the names that they have in config.yaml."""

import json
import shlex
from typing import Any

from pipeline.settings.losses import PREFERENCES


def as_text(value: Any) -> str:
    """Return a value as text for ms-swift's command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value)


def flag_words(settings: dict[str, Any]) -> list[str]:
    """Return the settings as flags; null leaves a flag out."""
    return [word for name, value in settings.items() if value is not None for word in flag_of(name, value)]


def flag_of(name: str, value: Any) -> list[str]:
    """Return a flag and its values. A single one that begins as an option does is part of the flag's own word."""
    values = [as_text(one) for one in (value if isinstance(value, list) else [value])]
    if len(values) == 1 and values[0].startswith("-"):
        return [f"--{name}={values[0]}"]
    return [f"--{name}", *values]


def swift_flags(settings: dict[str, Any]) -> str:
    """Return the settings as one line of flags, quoted for a shell."""
    return shlex.join(flag_words(settings))


def infer_settings(config: dict[str, Any], shard: int = 0) -> dict[str, Any]:
    """Return the flags of inference. vLLM is told its number of GPUs, and chooses batches and kernels itself.

    Each shard has a seed of its own, so that shards do not draw the same random numbers.
    """
    infer = config["infer"]
    flags = {name: infer[name] for name in ("max_new_tokens", "temperature")}
    if infer["temperature"]:
        flags |= {"top_p": infer["top_p"], "top_k": infer["top_k"], "seed": infer["seed"] + shard}
    flags |= {name: infer[name] for name in ("repetition_penalty", "max_batch_size", "torch_dtype", "attn_impl")}
    flags["experts_impl"] = config["dpo"]["experts_impl"]
    if infer["backend"] == "vllm":
        flags |= dict.fromkeys(("max_batch_size", "attn_impl", "experts_impl"))
        flags |= {"infer_backend": "vllm", "vllm_tensor_parallel_size": infer["gpus"]}
    return flags


# Settings of `sft` that are not flags.
NO_FLAGS = ("enabled", "join", "data")


def sft_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the flags of the SFT: those of `dpo`, with the values that `sft` has for them."""
    kept = {name: value for name, value in config["dpo"].items() if name not in PREFERENCES}
    return kept | {name: value for name, value in config["sft"].items() if name not in NO_FLAGS}
