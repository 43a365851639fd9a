"""Find the problem of a folder that is not a model that can be tuned."""

import json
from pathlib import Path
from typing import Any


def find_model_problem(folder: Path) -> str | None:
    """Return in one line why the model in `folder` cannot be tuned; None if it can."""
    if not folder.is_dir():
        return f"{folder}: no such folder; put gpt-oss there in Hugging Face's layout, or set model.folder"
    config = folder / "config.json"
    if not config.is_file():
        return f"{config}: missing; model.folder must name a model in Hugging Face's layout"
    settings = read_object(config)
    if settings is None:
        return f"{config}: not a JSON object; fetch the model again"
    architectures = settings.get("architectures", [])
    if architectures != ["GptOssForCausalLM"]:
        return (
            f"{config}: architectures is {architectures}, not ['GptOssForCausalLM']; model.folder must name a gpt-oss"
        )
    if "quantization_config" in settings:
        return f"{config}: the weights are quantised; convert them to bfloat16 first (docs/pipeline.md)"
    if not (folder / "tokenizer.json").is_file():
        return f"{folder / 'tokenizer.json'}: missing; fetch the model's tokenizer too"
    return find_weights_problem(folder)


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file; None if the file holds anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def find_weights_problem(folder: Path) -> str | None:
    """Return in one line which weight file is missing; None if all are there."""
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        weights = read_object(index)
        if weights is None or "weight_map" not in weights:
            return f"{index}: not an index of weights; fetch the model again"
        names = set(weights["weight_map"].values())
    missing = sorted(name for name in names if not (folder / name).is_file())
    return f"{folder / missing[0]}: missing; fetch the model's weights again" if missing else None
