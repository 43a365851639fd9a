"""Refuse a model whose weights are missing, left over, or of another shape; transformers only warns.

A missing weight is filled with random numbers, and the training goes on. Under ZeRO-3 transformers does
not even look for weights that are left over, so this does.
"""

from typing import Any

from safetensors import safe_open
from transformers import PreTrainedModel
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

SHOWN = 3

_load = PreTrainedModel._load_pretrained_model
_finish = PreTrainedModel._finalize_model_loading


def stored_keys(files: list[str] | None) -> set[str]:
    """Return the names of the weights in safetensors files."""
    keys: set[str] = set()
    for file in files or []:
        with safe_open(file, framework="pt") as weights:
            keys.update(weights.keys())
    return keys


def load(model: Any, state_dict: Any, checkpoint_files: list[str] | None, load_config: Any, *args: Any) -> Any:
    """Load the weights, and note those that the model has no place for under ZeRO-3 too."""
    expected = set(model.state_dict())
    info, offloaded = _load(model, state_dict, checkpoint_files, load_config, *args)
    if is_deepspeed_zero3_enabled():
        info.unexpected_keys |= stored_keys(checkpoint_files) - expected
    return info, offloaded


def finish(model: Any, load_config: Any, info: Any) -> Any:
    """End the loading, if every weight was in its place."""
    info = _finish(model, load_config, info)
    mismatched = {key if isinstance(key, str) else key[0] for key in info.mismatched_keys}
    found = {"missing": info.missing_keys, "unexpected": info.unexpected_keys, "of another shape": mismatched}
    if faults := [describe_keys(name, keys) for name, keys in found.items() if keys]:
        raise RuntimeError(f"{load_config.pretrained_model_name_or_path}: weights {'; '.join(faults)}; fetch it again")
    return info


def describe_keys(name: str, keys: set[str]) -> str:
    """Return how many weights are at fault, and the first of them."""
    more = ", …" if len(keys) > SHOWN else ""
    return f"{name}: {len(keys)} ({', '.join(sorted(keys)[:SHOWN])}{more})"


PreTrainedModel._load_pretrained_model = staticmethod(load)
PreTrainedModel._finalize_model_loading = staticmethod(finish)
