"""Write a small model as the published gpt-oss is: experts packed (MXFP4), in files that are counted from 0."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GptOssForCausalLM

from pipeline.files.json_files import write_json
from pipeline.models.expected_tensors import PACKED_TYPE
from pipeline.models.model_weights import CONFIG, INDEX, read_object
from pipeline.models.mxfp4 import pack_weights

# As in the published config.json.
QUANTISATION = {
    "quant_method": PACKED_TYPE,
    "modules_to_not_convert": [
        "model.layers.*.self_attn",
        "model.layers.*.mlp.router",
        "model.embed_tokens",
        "lm_head",
    ],
}
LAST = 1  # number of the last file


def save_published(model: GptOssForCausalLM, folder: Path) -> None:
    """Write a model's config.json, generation settings, weights and index.

    Raises ValueError if hidden_size or intermediate_size is not a multiple of 32, or a weight is NaN or infinite.
    """
    weights = pack_weights(model.to(torch.bfloat16).state_dict())
    names = list(weights)
    index: dict[str, str] = {}
    for number in range(LAST + 1):
        file = f"model-{number:05}-of-{LAST:05}.safetensors"
        inside = names[number * len(names) // (LAST + 1) : (number + 1) * len(names) // (LAST + 1)]
        save_file({name: weights[name].contiguous() for name in inside}, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(inside, file)
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    say_packed(folder)
    size = sum(weight.nbytes for weight in weights.values())
    write_json(folder / INDEX, {"metadata": {"total_size": size}, "weight_map": index})


def say_packed(folder: Path) -> None:
    """Say in a model's config.json that the weights of its experts are packed."""
    write_json(folder / CONFIG, read_object(folder / CONFIG) | {"quantization_config": QUANTISATION})
