"""Folders of small gpt-oss models with random weights, written as the published one is: shards counted from 0."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.models.expected_tensors import expect_tensors
from pipeline.models.shape import read_shape
from pipeline.models.weight_file import Kind, write_weights

CONFIG = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 32,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "vocab_size": 300,
    "sliding_window": 8,
    # Names and keys of the published file, which transformers writes otherwise, or not at all.
    "experts_per_token": 2,
    "initial_context_length": 64,
    "rope_theta": 150000,
    "rope_scaling": {
        "rope_type": "yarn",
        "factor": 32.0,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "original_max_position_embeddings": 64,
        "truncate": False,
    },
    "max_position_embeddings": 2048,
    "swiglu_limit": 7.0,
    "layer_types": ["sliding_attention", "full_attention"],
}
PACKED = {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}}
# Behind this tensor the first shard ends, so that its scales are in the next one.
LAST_OF_FIRST = "model.layers.0.mlp.experts.down_proj_blocks"
SHARDS = ("model-00000-of-00001.safetensors", "model-00001-of-00001.safetensors")


def draw_bytes(kind: Kind, random: np.random.Generator) -> bytes:
    """Return random numbers of a tensor: packed ones, their scales, or normally distributed ones."""
    if kind.dtype == "U8":
        low, high = (0, 256) if len(kind.shape) == 4 else (110, 122)
        return random.integers(low, high, kind.shape, dtype=np.uint8).tobytes()
    numbers = random.normal(0, 0.1, kind.shape).astype(np.float32)
    return numbers.tobytes() if kind.dtype == "F32" else (numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes()


def write_model_folder(folder: Path, packed: bool = True, **config: Any) -> Path:
    """Write a model in two shards, with changes of its config.json, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = CONFIG | (PACKED if packed else {}) | config
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    for name in ("tokenizer.json", "chat_template.jinja"):
        if not (folder / name).exists():
            (folder / name).write_text("{}", encoding="utf-8")
    kinds = expect_tensors(read_shape(folder / "config.json"), settings)
    random, names = np.random.default_rng(1), list(kinds)
    middle = names.index(LAST_OF_FIRST if packed else LAST_OF_FIRST.removesuffix("_blocks")) + 1
    index = {}
    for shard, inside in zip(SHARDS, (names[:middle], names[middle:]), strict=True):
        chosen = {name: kinds[name] for name in inside}
        write_weights(folder / shard, chosen, [draw_bytes(kind, random) for kind in chosen.values()])
        index |= dict.fromkeys(inside, shard)
    write_index(folder, index)
    return folder


def write_index(folder: Path, index: dict[str, str]) -> None:
    """Write the file of each tensor."""
    text = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
